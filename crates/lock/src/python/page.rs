//! Pages of package indexes: what archives of source they list (PEP 503, 691, 700), and a page that has a wheel in the
//! place of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use imagewright_oci::Digest;
use imagewright_pypa::{PackageName, Version};
use serde::{Deserialize, Serialize};
use url::Url;

use super::source_requirement::{ARCHIVES, bare};

/// An archive of source that an index lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) version: Version,
    /// Where it is, without user and password.
    pub(super) url: Url,
    pub(super) sha256: Option<Digest>,
    requires_python: Option<String>,
    /// Why it is not to be used any more; the reason may be empty.
    yanked: Option<String>,
    upload_time: Option<String>,
}

#[derive(Deserialize)]
struct WirePage {
    files: Vec<WireFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireFile {
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    requires_python: Option<String>,
    yanked: Option<Yanked>,
    upload_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Yanked {
    Flag(bool),
    Reason(String),
}

impl Yanked {
    /// Why, if it is.
    fn reason(self) -> Option<String> {
        match self {
            Self::Flag(is_yanked) => is_yanked.then(String::new),
            Self::Reason(reason) => Some(reason),
        }
    }
}

impl Listed {
    /// The archives of a distribution on a page that was found at `address`: one for each version, the oldest first.
    pub(super) fn of_page(name: &PackageName, address: &Url, page: &[u8]) -> Vec<Self> {
        let text = String::from_utf8_lossy(page);
        let files = match serde_json::from_str::<WirePage>(&text) {
            Ok(page) => {
                page.files.into_iter().filter_map(|file| Self::of_json(name, address, file)).collect()
            }
            Err(_) => of_html(name, address, &text),
        };
        Self::one_of_each(files)
    }

    /// A file that stands for itself, in a folder.
    pub(super) fn of_file(name: &PackageName, url: &Url) -> Option<Self> {
        let file_name =
            percent_encoding::percent_decode_str(url.path_segments()?.next_back()?).decode_utf8_lossy();
        let version = version_of(name, &file_name)?;
        let url = bare(url.clone())?;
        Some(Self { version, url, sha256: None, requires_python: None, yanked: None, upload_time: None })
    }

    fn of_json(name: &PackageName, address: &Url, file: WireFile) -> Option<Self> {
        let sha256 = file.hashes.get("sha256").and_then(|digits| Digest::from_hex(digits).ok());
        let listed = Self::of_file(name, &address.join(&file.url).ok()?)?;
        let WireFile { requires_python, upload_time, .. } = file;
        Some(Self {
            sha256,
            requires_python,
            yanked: file.yanked.and_then(Yanked::reason),
            upload_time,
            ..listed
        })
    }

    /// Of several archives of a version, the one that is taken.
    pub(super) fn one_of_each(files: Vec<Self>) -> Vec<Self> {
        let rank = |file: &Self| ARCHIVES.iter().position(|kind| file.url.path().ends_with(kind));
        let mut best: BTreeMap<Version, Self> = BTreeMap::new();
        for file in files {
            match best.get(&file.version) {
                Some(known) if rank(known) <= rank(&file) => {}
                _ => {
                    best.insert(file.version.clone(), file);
                }
            }
        }
        best.into_values().collect()
    }
}

/// A page on which each archive is a wheel that fits everything, with what is said of the archive.
///
/// An installer that may build nothing chooses one of them as it would have chosen the archive.
pub(super) fn stand_ins(name: &PackageName, files: &[Listed]) -> String {
    let stem = name.as_str().replace('-', "_");
    let mut page = "<!DOCTYPE html><html><body>\n".to_owned();
    for Listed { version, requires_python, yanked, upload_time, .. } in files {
        let wheel = format!("{stem}-{version}-py3-none-any.whl").replace('+', "%2B");
        // Without a hash, the file itself would be asked for one, and there is none.
        write!(page, "<a href=\"{wheel}#sha256={}\"", "0".repeat(64)).expect("a string takes everything");
        let attributes = [
            ("data-requires-python", requires_python),
            ("data-yanked", yanked),
            ("data-upload-time", upload_time),
        ];
        for (attribute, value) in attributes {
            if let Some(value) = value {
                write!(page, " {attribute}=\"{}\"", escaped(value)).expect("a string takes everything");
            }
        }
        page.push_str(">a</a>\n");
    }
    page + "</body></html>\n"
}

/// The version that the name of an archive says, if it is one of the distribution.
fn version_of(name: &PackageName, file_name: &str) -> Option<Version> {
    let stem = ARCHIVES.iter().find_map(|kind| file_name.strip_suffix(kind))?;
    stem.match_indices('-').find_map(|(at, _)| {
        let is_name = stem[..at].parse::<PackageName>().is_ok_and(|found| found == *name);
        if is_name { stem[at + 1..].parse().ok() } else { None }
    })
}

fn of_html(name: &PackageName, address: &Url, text: &str) -> Vec<Listed> {
    let (mut base, mut files) = (address.clone(), Vec::new());
    for (tag, mut attributes) in tags(text) {
        let Some(target) = attributes.get("href").and_then(|href| base.join(href.trim()).ok()) else {
            continue;
        };
        if tag == "base" {
            base = target;
        } else if let Some(listed) = Listed::of_file(name, &target) {
            let hash = target.fragment().and_then(|fragment| fragment.strip_prefix("sha256="));
            files.push(Listed {
                sha256: hash.and_then(|digits| Digest::from_hex(digits).ok()),
                requires_python: attributes.remove("data-requires-python"),
                yanked: attributes.remove("data-yanked"),
                upload_time: attributes.remove("data-upload-time"),
                ..listed
            });
        }
    }
    files
}

/// The attributes of each `a` and `base` of a document, by their names in small letters.
fn tags(text: &str) -> Vec<(&'static str, BTreeMap<String, String>)> {
    let mut tags = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let tag = ["a", "base"].into_iter().find(|tag| rest[..end].eq_ignore_ascii_case(tag));
        if let Some(tag) = tag {
            let (attributes, after) = attributes(&rest[end..]);
            tags.push((tag, attributes));
            rest = after;
        }
    }
    tags
}

/// Reads attributes until the tag ends; what is behind it comes along.
fn attributes(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            return (attributes, rest);
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap_or(rest.len());
        // A lone `=` would be no name and no end.
        let end = end.max(rest.chars().next().map_or(0, char::len_utf8));
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let value = match rest.strip_prefix('=').map(str::trim_start) {
            None => "",
            Some(after) => {
                let (value, behind) = value(after);
                rest = behind;
                value
            }
        };
        attributes.entry(name).or_insert_with(|| unescaped(value));
    }
}

/// The value that a text begins with, in quotes or without, and what is behind it.
fn value(text: &str) -> (&str, &str) {
    if let Some(quote) = text.chars().next().filter(|quote| "\"'".contains(*quote)) {
        return text[1..].split_once(quote).unwrap_or((&text[1..], ""));
    }
    text.split_at(text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len()))
}

/// The characters that have a name, because they mean something else in HTML.
const ENTITIES: [(&str, &str); 7] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#39;", "'"),
    ("&#x27;", "'"),
    ("&#43;", "+"),
    ("&amp;", "&"),
];

fn unescaped(text: &str) -> String {
    ENTITIES.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(page: &str) -> Vec<String> {
        let address = Url::parse("https://u:p@host/simple/a-b/").unwrap();
        let files = Listed::of_page(&"a-b".parse().unwrap(), &address, page.as_bytes());
        let shown = |it: Option<String>| it.unwrap_or_else(|| "-".to_owned());
        let line = |it: Listed| {
            let hash = it.sha256.map(|digest| digest.hex()[..2].to_owned());
            let rest = [hash, it.requires_python, it.yanked, it.upload_time].map(shown);
            format!("{} {} {}", it.version, it.url, rest.join(" "))
        };
        files.into_iter().map(line).collect()
    }

    #[test]
    fn archives_are_read_from_json_and_from_html() {
        let ones = "1".repeat(64);
        let json = format!(
            r#"{{"meta": {{}}, "files": [
                {{"filename": "x", "url": "../../f/a_b-1.0.tar.gz", "hashes": {{"sha256": "{ones}"}},
                  "requires-python": ">=3", "yanked": "bad", "upload-time": "2020-01-01T00:00:00Z"}},
                {{"url": "https://files/a-b-1.0.zip", "yanked": false}},
                {{"url": "https://files/A.B-2.0-1.zip", "yanked": true}},
                {{"url": "a_b-3.0-py3-none-any.whl"}}, {{"url": "a_b_c-4.0.tar.gz"}}, {{"url": "a_b-5.rpm"}}
            ]}}"#
        );
        let expected = [
            "1.0 https://host/f/a_b-1.0.tar.gz 11 >=3 bad 2020-01-01T00:00:00Z",
            "2.0.post1 https://files/A.B-2.0-1.zip - -  -",
        ];
        assert_eq!(listed(&json), expected);
        let html = format!(
            "<!DOCTYPE html><html><head><base href='/f/x'></head><!-- <a href='a_b-9.tar.gz'> --><body>\n\
             <A class=z\nHREF=\"a_b-1.0.tar.gz#sha256={ones}\" data-requires-python='&gt;=3' data-yanked=bad \
             data-upload-time=2020-01-01T00:00:00Z>a_b-1.0.tar.gz</A>\n\
             <a data-yanked href=https://t@files/A.B-2.0-1.zip>x</a><abbr href=a_b-8.zip><a =><a href='a_b-7"
        );
        assert_eq!(listed(&html), expected);
        assert_eq!(listed("no page <"), Vec::<String>::new());
    }

    #[test]
    fn what_stands_in_says_what_the_archive_says() {
        let name: PackageName = "a-b".parse().unwrap();
        let address = Url::parse("https://host/a-b/").unwrap();
        let page = "<a href=a_b-1.0+x.tar.gz data-requires-python='&gt;=3' data-yanked='a&quot;b'>";
        let page = stand_ins(&name, &Listed::of_page(&name, &address, page.as_bytes()));
        let wheel = "<a href=\"a_b-1.0%2Bx-py3-none-any.whl#sha256=0000";
        assert!(page.contains(wheel), "{page}");
        assert!(page.contains(" data-requires-python=\"&gt;=3\" data-yanked=\"a&quot;b\">"), "{page}");
    }
}
