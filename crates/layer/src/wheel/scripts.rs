use super::entry_points::Script;

/// The longest first line that every Linux kernel runs.
const MAX_SHEBANG: usize = 127;
const PLACEHOLDER: &[u8] = b"#!python";

/// The text of a script that calls an entry point; the shape is pip's.
pub(super) fn wrapper(script: &Script, interpreter: &str) -> Vec<u8> {
    let Script { module, callable, .. } = script;
    let import = callable.split('.').next().expect("a split has a first part");
    let body = format!(
        "import sys\nfrom {module} import {import}\nif __name__ == '__main__':\n    \
         sys.argv[0] = sys.argv[0].removesuffix('.exe')\n    sys.exit({callable}())\n"
    );
    let mut text = shebang(interpreter, b"");
    text.extend_from_slice(body.as_bytes());
    text
}

/// Whether `content`, or its first 8 bytes, begins a script that is to be run by the image's interpreter.
pub(super) fn has_placeholder(content: &[u8]) -> bool {
    content.starts_with(PLACEHOLDER)
}

/// `content` with its first line changed from `#!python` or `#!pythonw` to the image's interpreter.
pub(super) fn with_interpreter(content: &[u8], interpreter: &str) -> Vec<u8> {
    let line_end = content.iter().position(|byte| *byte == b'\n').unwrap_or(content.len());
    let first = content[PLACEHOLDER.len()..line_end].trim_ascii_end();
    let arguments = match first.iter().position(u8::is_ascii_whitespace) {
        Some(start) => &first[start..],
        None => b"",
    };
    let mut text = shebang(interpreter, arguments);
    text.extend_from_slice(content.get(line_end + 1..).unwrap_or_default());
    text
}

/// The first line of a script; where a kernel could not take it, lines that both a shell and Python understand.
fn shebang(interpreter: &str, arguments: &[u8]) -> Vec<u8> {
    let mut line = format!("#!{interpreter}").into_bytes();
    line.extend_from_slice(arguments);
    line.push(b'\n');
    if line.len() <= MAX_SHEBANG && !interpreter.contains(' ') {
        return line;
    }
    let mut lines = format!("#!/bin/sh\n'''exec' \"{interpreter}\"").into_bytes();
    lines.extend_from_slice(arguments);
    lines.extend_from_slice(b" \"$0\" \"$@\"\n' '''\n");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholder_is_replaced() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"#!python\nx\n", b"#!/p\nx\n"),
            (b"#!pythonw\r\nx\r\n", b"#!/p\nx\r\n"),
            (b"#!python -E\nx", b"#!/p -E\nx"),
            (b"#!python3", b"#!/p\n"),
            (b"#!python\n", b"#!/p\n"),
        ];
        for (before, after) in cases {
            assert_eq!(with_interpreter(before, "/p"), after, "{before:?}");
        }
    }

    #[test]
    fn long_interpreters_go_through_a_shell() {
        let script = Script { name: "n".into(), module: "m".into(), callable: "C.f".into() };
        let long = format!("/{}", "x".repeat(130));
        let text = String::from_utf8(wrapper(&script, &long)).unwrap();
        assert!(
            text.starts_with(&format!("#!/bin/sh\n'''exec' \"{long}\" \"$0\" \"$@\"\n' '''\nimport sys\n"))
        );
        assert!(String::from_utf8(wrapper(&script, "/p")).unwrap().contains("from m import C\n"));
    }
}
