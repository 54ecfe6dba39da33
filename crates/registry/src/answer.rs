use std::fmt;

use serde::Deserialize;

/// The most of an answer that is not the registry's own error document shown in a message, in characters.
const SHOWN: usize = 200;

/// What a registry said in the body of a refusal.
///
/// Follows the error document of the distribution specification; anything else is kept as one shortened line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The errors of the document; empty when the body was not such a document.
    pub errors: Vec<AnsweredError>,
    /// The start of a body that was no error document.
    pub text: String,
}

/// One error of a registry's error document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnsweredError {
    /// `MANIFEST_UNKNOWN`, `DENIED`, ...
    pub code: String,
    /// For people.
    pub message: String,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    errors: Vec<WireError>,
    /// Token services answer in OAuth's shape, or with a bare `details` or `message`.
    #[serde(default)]
    error: Option<serde_json::Value>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default)]
    message: Option<String>,
}

impl Answer {
    /// Reads the body of a refusal.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let Ok(wire) = serde_json::from_slice::<Wire>(body) else {
            return Self { errors: Vec::new(), text: one_line(&String::from_utf8_lossy(body)) };
        };
        let mut errors: Vec<AnsweredError> = wire
            .errors
            .into_iter()
            .map(|error| AnsweredError {
                code: error.code.as_ref().map(as_text).unwrap_or_default(),
                message: one_line(&error.message.unwrap_or_default()),
            })
            .collect();
        let message = wire.error_description.or(wire.details).or(wire.message);
        if errors.is_empty() && (wire.error.is_some() || message.is_some()) {
            let code = wire.error.as_ref().map(as_text).unwrap_or_default();
            errors.push(AnsweredError { code, message: one_line(&message.unwrap_or_default()) });
        }
        let text = if errors.is_empty() { one_line(&String::from_utf8_lossy(body)) } else { String::new() };
        Self { errors, text }
    }

    /// Whether the document has an error of this code.
    pub(crate) fn has(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error.code.eq_ignore_ascii_case(code))
    }

    /// Whether some message contains `words`, in any case.
    pub(crate) fn mentions(&self, words: &str) -> bool {
        let contains = |text: &str| text.to_ascii_lowercase().contains(words);
        contains(&self.text)
            || self.errors.iter().any(|error| contains(&error.message) || contains(&error.code))
    }

    /// Harbor's way to say that a repository does not exist, which comes with status 500.
    pub(crate) fn says_repository_not_found(&self) -> bool {
        self.errors.iter().any(|error| {
            error.message.split_once("repository ").is_some_and(|(_, rest)| rest.ends_with("not found"))
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.errors.is_empty() {
            return f.write_str(&self.text);
        }
        let texts: Vec<String> = self.errors.iter().map(AnsweredError::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl fmt::Display for AnsweredError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            (code, "") => f.write_str(code),
            ("", message) => f.write_str(message),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

fn as_text(value: &serde_json::Value) -> String {
    one_line(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Shortened, and without control characters: it goes to a terminal.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join(" ");
    match joined.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &joined[..end]),
        None => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_shown_is_one_line_without_control_characters(body: Vec<u8>, message: String) {
            let document = serde_json::json!({"errors": [{"code": message, "message": message}]}).to_string();
            for answer in [Answer::parse(&body), Answer::parse(document.as_bytes())] {
                proptest::prop_assert!(!answer.to_string().contains(char::is_control));
            }
        }
    }

    #[test]
    fn reads_error_documents_and_anything_else() {
        let cases = [
            (r#"{"errors":[{"code":"DENIED","message":"no access","detail":[1]}]}"#, "DENIED: no access"),
            (r#"{"errors":[{"code":"A"},{"message":"b"}]}"#, "A; b"),
            (r#"{"error":"invalid_grant","error_description":"expired"}"#, "invalid_grant: expired"),
            (r#"{"details":"incorrect username or password"}"#, "incorrect username or password"),
            ("<html>\n<h1>Bad\tGateway</h1>\u{1b}[31m", "<html> <h1>Bad Gateway</h1> [31m"),
            ("[1]", "[1]"),
            ("", ""),
        ];
        for (body, shown) in cases {
            assert_eq!(Answer::parse(body.as_bytes()).to_string(), shown, "{body}");
        }
        assert_eq!(Answer::parse("é".repeat(1000).as_bytes()).to_string().chars().count(), SHOWN + 3);
    }

    #[test]
    fn knows_how_harbor_says_not_found() {
        let harbor =
            r#"{"errors":[{"code":"UNKNOWN","message":"unknown: repository library/app not found"}]}"#;
        assert!(Answer::parse(harbor.as_bytes()).says_repository_not_found());
        let other = r#"{"errors":[{"code":"UNKNOWN","message":"internal server error"}]}"#;
        assert!(!Answer::parse(other.as_bytes()).says_repository_not_found());
    }
}
