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
    let parts: Vec<String> = parts.iter().filter_map(|part| specifier(part)).collect();
    parts.join(",").parse()
}

/// None for what allows everything.
fn specifier(text: &str) -> Option<String> {
    if text == "*" {
        return None;
    }
    let caret = text.strip_prefix('^');
    let tilde = text.strip_prefix('~').filter(|rest| !rest.starts_with('='));
    if let Some(version) = caret.or(tilde) {
        let (digits, _) = version
            .split_at(version.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(version.len()));
        let numbers: Vec<u64> = digits.split('.').filter_map(|number| number.parse().ok()).collect();
        let raised = if caret.is_some() {
            numbers.iter().position(|number| *number > 0).unwrap_or(numbers.len().saturating_sub(1))
        } else {
            usize::from(numbers.len() > 1)
        };
        let next: Vec<String> = numbers[..=raised.min(numbers.len().checked_sub(1)?)]
            .iter()
            .enumerate()
            .map(|(at, number)| if at == raised { number + 1 } else { *number })
            .map(|number| number.to_string())
            .collect();
        return Some(format!(">={version},<{}", next.join(".")));
    }
    let is_version = text.starts_with(|c: char| c.is_ascii_digit());
    let is_single = text.starts_with('=') && !text.starts_with("==");
    Some(match text {
        _ if is_version => format!("=={text}"),
        _ if is_single => format!("={text}"),
        _ => text.to_owned(),
    })
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
        ] {
            let parsed: Constraint = constraint.parse().unwrap();
            let allows = |text: &str| parsed.allows(&text.parse().unwrap());
            assert!(allowed.split_whitespace().all(allows), "{constraint}");
            assert!(!others.split_whitespace().any(allows), "{constraint}");
        }
        assert!("".parse::<Constraint>().is_err() && ">=x".parse::<Constraint>().is_err());
    }
}
