use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{PackageName, Tag, Version};

/// The name of a wheel file: `{distribution}-{version}(-{build})?-{interpreters}-{abis}-{platforms}.whl`.
///
/// Follows the file name convention of the binary distribution format specification. Each of the last three
/// parts is a compressed set, joined by dots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WheelFilename {
    text: String,
    name: PackageName,
    version: Version,
    build: Option<BuildTag>,
    interpreters: Vec<String>,
    abis: Vec<String>,
    platforms: Vec<String>,
}

/// The optional part that breaks ties between wheels that are otherwise equal; a number, then any text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildTag {
    /// The leading number.
    pub number: u64,
    /// What follows it.
    pub suffix: String,
}

/// A text that is not the name of a wheel file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a wheel file name: {problem}")]
pub struct WheelFilenameError {
    /// What was given.
    pub text: String,
    /// Which rule of the grammar it breaks.
    pub problem: &'static str,
}

impl WheelFilename {
    /// The whole name, as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The normalised name of the distribution.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The version of the distribution.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// `{distribution}-{version}` as written: what `.dist-info` and `.data` folders usually begin with.
    pub fn stem(&self) -> &str {
        let end = self.text.match_indices('-').nth(1).map_or(self.text.len(), |(at, _)| at);
        &self.text[..end]
    }

    /// The build tag, when there is one.
    pub fn build(&self) -> Option<&BuildTag> {
        self.build.as_ref()
    }

    /// The compressed sets as written: `cp311-abi3-manylinux1_x86_64.manylinux_2_5_x86_64`.
    pub fn tag_text(&self) -> &str {
        let start = self.text.rmatch_indices('-').nth(2).map_or(0, |(at, _)| at + 1);
        self.text[start..].trim_end_matches(".whl")
    }

    /// Every tag of the compressed sets.
    pub fn tags(&self) -> impl Iterator<Item = Tag> + '_ {
        self.interpreters.iter().flat_map(move |interpreter| {
            self.abis.iter().flat_map(move |abi| {
                self.platforms.iter().map(move |platform| Tag::new(interpreter, abi, platform))
            })
        })
    }
}

impl FromStr for WheelFilename {
    type Err = WheelFilenameError;

    fn from_str(text: &str) -> Result<Self, WheelFilenameError> {
        let fail = |problem| WheelFilenameError { text: text.to_owned(), problem };
        let stem = text.strip_suffix(".whl").ok_or_else(|| fail("it does not end with .whl"))?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, build, tags) = match parts[..] {
            [name, version, a, b, c] => (name, version, None, [a, b, c]),
            [name, version, build, a, b, c] => (name, version, Some(build), [a, b, c]),
            _ => return Err(fail("it has not five or six parts joined by dashes")),
        };
        let [interpreters, abis, platforms] = tags.map(compressed_set);
        Ok(Self {
            text: text.to_owned(),
            name: name.parse().map_err(|_| fail("the distribution's name is not one"))?,
            version: version.parse().map_err(|_| fail("the version is not one"))?,
            build: build
                .map(|tag| parse_build(tag).ok_or_else(|| fail("the build tag is not a number and letters")))
                .transpose()?,
            interpreters: interpreters.ok_or_else(|| fail("the interpreter tags are not words"))?,
            abis: abis.ok_or_else(|| fail("the ABI tags are not words"))?,
            platforms: platforms.ok_or_else(|| fail("the platform tags are not words"))?,
        })
    }
}

fn compressed_set(text: &str) -> Option<Vec<String>> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.split('.').map(|word| is_word(word).then(|| word.to_ascii_lowercase())).collect()
}

fn parse_build(text: &str) -> Option<BuildTag> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    // The name of a wheel becomes that of a file.
    let is_plain = suffix.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if !is_plain {
        return None;
    }
    Some(BuildTag { number: number.parse().ok()?, suffix: suffix.to_owned() })
}

impl TryFrom<String> for WheelFilename {
    type Error = WheelFilenameError;

    fn try_from(text: String) -> Result<Self, WheelFilenameError> {
        text.parse()
    }
}

impl From<WheelFilename> for String {
    fn from(filename: WheelFilename) -> Self {
        filename.text
    }
}

impl fmt::Display for WheelFilename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_parts() {
        let wheel: WheelFilename =
            "Foo.bar_baz-1.0+cpu-12abc-py2.py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl"
                .parse()
                .unwrap();
        assert_eq!(wheel.name().as_str(), "foo-bar-baz");
        assert_eq!(wheel.version().to_string(), "1.0+cpu");
        assert_eq!(wheel.build(), Some(&BuildTag { number: 12, suffix: "abc".to_owned() }));
        assert_eq!(wheel.stem(), "Foo.bar_baz-1.0+cpu");
        assert_eq!(wheel.tag_text(), "py2.py3-none-manylinux1_x86_64.manylinux_2_5_x86_64");
        let tags: Vec<String> = wheel.tags().map(|tag| tag.to_string()).collect();
        assert_eq!(tags.len(), 4);
        assert_eq!(tags[3], "py3-none-manylinux_2_5_x86_64");
    }

    #[test]
    fn refuses_what_is_not_a_wheel() {
        for text in [
            "foo-1.0.tar.gz",
            "foo-1.0-py3-none.whl",
            "foo-1.0-1-2-py3-none-any.whl",
            "foo-x-py3-none-any.whl",
            "-1.0-py3-none-any.whl",
            "foo-1.0-b1-py3-none-any.whl",
            "foo-1.0-py3--any.whl",
            "foo-1.0-py3.-none-any.whl",
            "../foo-1.0-py3-none-any.whl",
        ] {
            let error = text.parse::<WheelFilename>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn is_a_string_in_json() {
        let text = "\"demo-1.0-py3-none-any.whl\"";
        let wheel: WheelFilename = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&wheel).unwrap(), text);
    }
}
