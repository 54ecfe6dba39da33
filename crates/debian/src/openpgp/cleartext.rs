use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SignatureProblem;

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// A document in the cleartext signature framework (RFC 9580, section 7), taken apart.
#[derive(Debug)]
pub(super) struct Cleartext {
    /// What was signed: dashes unescaped, white space at line ends removed, lines ended by a line feed.
    pub(super) text: String,
    /// The signature packets.
    pub(super) signatures: Vec<u8>,
}

impl Cleartext {
    /// Refuses anything before, behind and beside the one signed text, so nothing unsigned can be mistaken for it.
    pub(super) fn parse(document: &str) -> Result<Self, SignatureProblem> {
        let malformed = |what| SignatureProblem::Malformed { what };
        let mut lines = document.lines().map(|line| line.trim_end_matches([' ', '\t', '\r']));
        if lines.next() != Some(BEGIN) {
            return Err(SignatureProblem::NotSigned);
        }
        // Only the header `Hash` may stand before the empty line.
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            if !line.starts_with("Hash: ") {
                return Err(malformed("armour header"));
            }
        }
        let mut text = String::with_capacity(document.len());
        loop {
            let line = lines.next().ok_or_else(|| malformed("text without a signature"))?;
            match line.strip_prefix("- ") {
                Some(escaped) => text.push_str(escaped),
                None if line == SIGNATURE => break,
                None if line.starts_with('-') => return Err(malformed("unescaped dash")),
                None => text.push_str(line),
            }
            text.push('\n');
        }
        Ok(Self { text, signatures: dearmour(lines)? })
    }

    /// The bytes that signatures cover: lines joined by CR LF, without one at the end.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        self.text.strip_suffix('\n').unwrap_or(&self.text).replace('\n', "\r\n").into_bytes()
    }
}

/// Decodes what follows the `BEGIN PGP SIGNATURE` line; the optional CRC-24 protects nothing and is skipped.
fn dearmour<'a>(mut lines: impl Iterator<Item = &'a str>) -> Result<Vec<u8>, SignatureProblem> {
    let malformed = SignatureProblem::Malformed { what: "signature armour" };
    let mut encoded = String::new();
    let mut in_headers = true;
    loop {
        match lines.next() {
            Some(END) => break,
            Some("") => in_headers = false,
            Some(line) if in_headers && line.contains(": ") => {}
            Some(line) if line.starts_with('=') && line.len() == 5 => {}
            Some(line) => {
                in_headers = false;
                encoded.push_str(line);
            }
            None => return Err(malformed),
        }
    }
    if lines.any(|line| !line.is_empty()) {
        return Err(SignatureProblem::Malformed { what: "text behind the signature" });
    }
    STANDARD.decode(encoded).map_err(|_| malformed)
}
