use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use super::Scopes;

/// How a registry wants to be authenticated to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password with every request.
    Basic,
    /// A token from a token service.
    Bearer {
        /// Where tokens are had, as written.
        realm: String,
        /// The registry's name towards the token service.
        service: Option<String>,
        /// What the refused request needed.
        scopes: Scopes,
    },
}

impl Challenge {
    /// The strongest challenge of a 401 answer that we can meet: a token before a password.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut found = None;
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        for (scheme, mut parameters) in values.flat_map(split) {
            if scheme.eq_ignore_ascii_case("bearer") {
                let Some(realm) = parameters.remove("realm") else { continue };
                return Some(Self::Bearer {
                    realm,
                    service: parameters.remove("service"),
                    scopes: parameters.get("scope").map(|text| Scopes::parse(text)).unwrap_or_default(),
                });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                found = Some(Self::Basic);
            }
        }
        found
    }
}

type Parameters = BTreeMap<String, String>;

/// Splits a `WWW-Authenticate` value (RFC 9110, section 11.6.1) into schemes and their parameters.
///
/// A header may carry several challenges, and both challenges and parameters are separated by commas: a word that
/// no `=` follows starts the next challenge.
fn split(header: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() && after.is_empty() {
            return challenges;
        }
        if let Some(value) = after.trim_start().strip_prefix('=') {
            let (value, after) = take_value(value.trim_start());
            if let Some((_, parameters)) = challenges.last_mut() {
                parameters.insert(word.to_ascii_lowercase(), value);
            }
            rest = after;
        } else {
            challenges.push((word.to_owned(), Parameters::new()));
            rest = after;
        }
    }
}

/// Takes a token or quoted string; gives it unquoted, and what follows.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[position + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&'static str], expected: Option<&Challenge>) {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(WWW_AUTHENTICATE, header.parse().unwrap());
        }
        assert_eq!(Challenge::of(&map).as_ref(), expected, "{headers:?}");
    }

    fn bearer(realm: &str, service: Option<&str>, scope: &str) -> Challenge {
        let service = service.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service, scopes: Scopes::parse(scope) }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in r#"([A-Za-z]{1,3}|[ =,"\\]|\PC){0,40}"#) {
            split(&text);
        }

        #[test]
        fn quoted_values_come_back(realm in "[ -~]{0,30}", service in "[ -~]{0,30}") {
            let quote = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Basic, Bearer realm=\"{}\",service=\"{}\"", quote(&realm), quote(&service));
            let expected: Parameters = [("realm".to_owned(), realm), ("service".to_owned(), service)].into();
            proptest::prop_assert_eq!(&split(&header)[1], &("Bearer".to_owned(), expected));
        }
    }

    #[test]
    fn reads_what_registries_send() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/debian:pull,push""#;
        check(
            &[hub],
            Some(&bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                "repository:library/debian:pull,push",
            )),
        );
        check(
            &[r#"bearer realm = "https://a/b" , error="invalid_token""#],
            Some(&bearer("https://a/b", None, "")),
        );
        check(&[r#"Basic realm="Registry Realm""#], Some(&Challenge::Basic));
        check(&["basic"], Some(&Challenge::Basic));
        check(&[r#"Basic realm="x", Bearer realm="https://a/t""#], Some(&bearer("https://a/t", None, "")));
        check(
            &[r#"Basic realm="x""#, r#"Bearer realm="https://a/t\"q""#],
            Some(&bearer("https://a/t\"q", None, "")),
        );
        check(&["Negotiate YWJj==", "Basic"], Some(&Challenge::Basic));
        check(&["Negotiate"], None);
        check(&["Bearer realm="], Some(&bearer("", None, "")));
        check(&["= , =,"], None);
        check(&["Bearer"], None);
    }
}
