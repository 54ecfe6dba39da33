use std::path::Path;

use url::Url;

/// What means something else in the text of a requirement: comments, markers, extras, escapes, and the space before them.
const SPECIAL: [char; 5] = ['#', ';', '[', ']', '%'];

/// An absolute path as the target of a requirement: as it is, unless a part of it would be read as something else.
pub(super) fn target(path: &Path) -> String {
    let plain = path.display().to_string();
    if plain.contains(|c: char| SPECIAL.contains(&c) || c.is_whitespace()) { address(path) } else { plain }
}

/// The same as an address.
pub(super) fn address(path: &Path) -> String {
    let url = Url::from_file_path(path).expect("the folder of a project is absolute");
    // These may stand in an address, and there, too, something else could be meant.
    url.as_str().replace('[', "%5B").replace(']', "%5D").replace(';', "%3B")
}

#[cfg(test)]
mod tests {
    use imagewright_spec::requirements::local_path;

    use super::*;

    #[test]
    fn a_path_is_read_as_it_is() {
        assert_eq!(target("/srv/app".as_ref()), "/srv/app");
        for path in [
            "/srv/app",
            "/srv/c#/app",
            "/srv/a;b",
            "/srv/a b",
            "/srv/a ;b",
            "/srv/a[x]",
            "/srv/50%25",
            "/srv/ü",
        ] {
            let requirement = format!("app @ {}", target(path.as_ref()));
            assert_eq!(local_path(&requirement).as_deref(), Some(path.as_ref()), "{requirement}");
        }
        assert_eq!(address("/srv/a b".as_ref()), "file:///srv/a%20b");
    }
}
