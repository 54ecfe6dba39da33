//! Parsers answer whatever they are given, and never print a password.

use std::collections::BTreeMap;

use imagewright_lock::python::{IndexSettings, IndexUrl, InstallOptions, Origin, Requirement};
use imagewright_lock::uv::Host;
use proptest::prelude::*;

fn host() -> Host {
    Host::new(BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]), "/project".into())
}

proptest! {
    #[test]
    fn any_words_are_options_or_an_error(words in prop::collection::vec("(-{0,2}[a-z=:/-]{0,12}|\\PC{0,12})", 0..5)) {
        let origin = Origin::Field { name: "pip_extra_args".to_owned() };
        if let Err(error) = InstallOptions::parse(&words, &origin, &host()) {
            prop_assert!(error.to_string().contains("`pip_extra_args`"), "{}", error);
        }
    }

    #[test]
    fn any_text_is_a_requirement_with_or_without_a_name(text in "\\PC{0,40}") {
        let requirement = Requirement::of_field(&text, "packages");
        if let Some(name) = requirement.name() {
            prop_assert!(!name.as_str().is_empty());
        }
        let printed = format!("{requirement:?}");
        prop_assert!(printed.ends_with("in `packages`"), "{}", printed);
    }

    #[test]
    fn no_password_is_printed(password in "[A-Z0-9]{8,12}", user in "[a-z]{0,3}", path in "[a-z/@:]{0,8}") {
        let url = format!("https://{user}:{password}@host/{path}");
        let settings = IndexSettings::default().with_spec(Some(&url), std::slice::from_ref(&url));
        let requirement = Requirement::of_field(&format!("a @ {url}"), "packages");
        let printed = format!("{} {:?} {settings:?} {requirement} {requirement:?}", IndexUrl::new(&url), IndexUrl::new(&url));
        prop_assert!(!printed.contains(&password), "{}", printed);
    }

    #[test]
    fn any_pip_conf_is_read(text in "(\\[(global|install)\\]\n|[a-z-]{1,12} ?[=:] ?\\PC{0,12}\n| \\PC{0,8}\n|\n|#\\PC{0,4}\n){0,12}") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pip.conf");
        fs_err::write(&path, text).unwrap();
        let variables = BTreeMap::from([
            ("PIP_CONFIG_FILE".to_owned(), path.display().to_string()),
            ("XDG_CONFIG_DIRS".to_owned(), folder.path().display().to_string()),
        ]);
        prop_assert!(IndexSettings::of_host(&Host::new(variables, folder.path().to_owned())).is_ok());
    }
}
