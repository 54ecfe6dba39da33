//! Versions as Poetry writes them: `^1.2`, `~3.8 || >=3.10,<4`.

use std::str::FromStr;

use imagewright_pypa::{Specifiers, SpecifiersError, Version};

/// Versions that are allowed: those that satisfy one of the alternatives.
#[derive(Clone, Debug)]
pub(super) struct Constraint(Vec<Specifiers>);

impl Constraint {
    pub(super) fn allows(&self, version: &Version) -> bool {
        self.0.iter().any(|specifiers| specifiers.contains(version))
    }
}

impl FromStr for Constraint {
    type Err = SpecifiersError;

    fn from_str(text: &str) -> Result<Self, SpecifiersError> {
        let alternatives = text.split('|').map(str::trim).filter(|part| !part.is_empty());
        let alternatives: Vec<Specifiers> = alternatives.map(alternative).collect::<Result<_, _>>()?;
        if alternatives.is_empty() {
            return Err(SpecifiersError { text: text.to_owned() });
        }
        Ok(Self(alternatives))
    }
}

/// Several with commas or spaces between them.
fn alternative(text: &str) -> Result<Specifiers, SpecifiersError> {
    let is_operator = |c: char| "<>=!~^".contains(c);
    let mut parts: Vec<String> = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        // A space may be behind an operator, too.
        match parts.last_mut() {
            Some(last) if last.ends_with(is_operator) => last.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    let parts = parts.iter().filter_map(|part| specifier(part).transpose());
    let parts: Vec<String> = parts.collect::<Result<_, _>>()?;
    parts.join(",").parse()
}

/// None for what allows everything.
fn specifier(text: &str) -> Result<Option<String>, SpecifiersError> {
    if text == "*" {
        return Ok(None);
    }
    let caret = text.strip_prefix('^');
    let tilde = text.strip_prefix('~').filter(|rest| !rest.starts_with('='));
    if let Some(version) = caret.or(tilde) {
        let wrong = || SpecifiersError { text: text.to_owned() };
        let next = behind(version, caret.is_some()).ok_or_else(wrong)?;
        return Ok(Some(format!(">={version},<{next}")));
    }
    let is_version = text.starts_with(|c: char| c.is_ascii_digit());
    let is_single = text.starts_with('=') && !text.starts_with("==");
    Ok(Some(match text {
        _ if is_version => format!("=={text}"),
        _ if is_single => format!("={text}"),
        _ => text.to_owned(),
    }))
}

/// The first version that `^` or `~` before this one does not allow any more.
fn behind(text: &str, is_caret: bool) -> Option<String> {
    let version: Version = text.parse().ok()?;
    let numbers = version.release();
    let last = numbers.len().checked_sub(1)?;
    let raised =
        if is_caret { numbers.iter().position(|number| *number > 0).unwrap_or(last) } else { last.min(1) };
    let (kept, raised) = (&numbers[..raised], numbers[raised].checked_add(1)?);
    let next: Vec<String> = kept.iter().chain([&raised]).map(ToString::to_string).collect();
    let epoch = text.split_once('!').map(|(epoch, _)| format!("{epoch}!")).unwrap_or_default();
    Some(epoch + &next.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poetrys_words_allow_what_they_say() {
        for (constraint, allowed, others) in [
            ("^3.8", "3.8 3.11.2 3.99", "3.7 4.0"),
            ("^0.3.1", "0.3.1 0.3.9", "0.3.0 0.4"),
            ("^0.0.3", "0.0.3", "0.0.4"),
            ("^0", "0.9", "1.0"),
            ("~3.8", "3.8 3.8.9", "3.9"),
            ("~3", "3.99", "4.0"),
            ("~=3.8", "3.9", "4.0"),
            (">=2.7, !=3.0.*, !=3.1.*", "2.7 3.2", "3.0.1 2.6"),
            (">=3.8 <3.12", "3.11", "3.12"),
            (">= 3.8", "3.9", "3.7"),
            ("~2.7 || ^3.9", "2.7.1 3.11", "3.8"),
            ("*", "1 2", ""),
            ("3.11.*", "3.11.2", "3.12"),
            ("1.2", "1.2", "1.2.1"),
            ("^1.2rc1", "1.2rc1 1.9", "1.1 2.0"),
            ("^1!2.3", "1!2.4", "2.4 1!3.0"),
        ] {
            let parsed: Constraint = constraint.parse().unwrap();
            let allows = |text: &str| parsed.allows(&text.parse().unwrap());
            assert!(allowed.split_whitespace().all(allows), "{constraint}");
            assert!(!others.split_whitespace().any(allows), "{constraint}");
        }
    }

    #[test]
    fn what_says_no_version_does_not_allow_everything() {
        for text in [
            "",
            ">=x",
            "^",
            "~",
            "~x",
            "^latest",
            "^1.x",
            "latest",
            "^1.99999999999999999999",
            "^18446744073709551615",
            "~1.18446744073709551615",
            "^1 || ^",
        ] {
            assert!(text.parse::<Constraint>().is_err(), "{text}");
        }
    }
}
