//! Which distribution a requirement is about.

use std::path::Path;

use imagewright_pypa::{PackageName, WheelFilename};

/// The distribution that a requirement is about, when its text says: `numpy>=2`, `a @ https://…`, `./a-1-py3-none-any.whl`.
pub fn distribution(requirement: &str) -> Option<PackageName> {
    let text = uncommented(requirement).trim();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let (word, rest) = text.split_at(text.bytes().take_while(|b| is_name(*b)).count());
    let starts_specifier = |c: char| "[<>=!~;@(".contains(c);
    let rest = rest.trim_start();
    let is_path = word.starts_with('.') || Path::new(word).extension().is_some_and(|end| end == "whl");
    if !is_path && (rest.is_empty() || rest.starts_with(starts_specifier) || rest.starts_with("--")) {
        return word.parse().ok();
    }
    let location = text.split_whitespace().next()?.split(['#', '?']).next()?;
    let filename: WheelFilename = location.rsplit('/').next()?.parse().ok()?;
    Some(filename.name().clone())
}

/// A requirement without the comment behind it, which begins at the start of the line or after white space.
pub fn uncommented(text: &str) -> &str {
    let starts = |at: usize| at == 0 || text[..at].ends_with(char::is_whitespace);
    text.match_indices('#').find(|(at, _)| starts(*at)).map_or(text, |(at, _)| &text[..at])
}
