//! Whatever is given, there is an answer.

use std::path::Path;

use imagewright_spec::requirements::{Environment, local_path, parse, split_options};
use imagewright_spec::{ParseOptions, parse_json, parse_yaml};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let options = ParseOptions::default();
        let _ = (parse_yaml(&text, &options).is_ok(), parse_json(&text, &options).is_ok());
        let _ = (parse(&text, Path::new("r.txt"), &Environment::new()).is_ok(), local_path(&text), split_options(&text));
    }

    #[test]
    fn anything_like_yaml_is_read_or_refused(text in "([a-z_]{0,4}[:\\-\\[\\]{},&*!|>'\"%@`#?~ \n\t.0-9]{1,3}){0,60}") {
        if let Ok(spec) = parse_yaml(&text, &ParseOptions::default()) {
            prop_assert_eq!(spec.id().len(), 22);
        }
    }

    #[test]
    fn any_value_of_any_field_is_read_or_refused(
        field in prop::sample::select(imagewright_spec::FIELDS),
        value in "[\\-\\[\\]{},:\"a-z0-9./ ]{0,30}",
    ) {
        let text = format!("{}: {value}", field.name);
        match parse_yaml(&text, &ParseOptions::default()) {
            Ok(spec) => prop_assert_eq!(spec.id().len(), 22),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn requirements_keep_their_lines(names in prop::collection::vec("[a-z]{1,8}(==[0-9.]{1,4})?", 0..20)) {
        let text = names.join("\n");
        let lines = parse(&text, Path::new("r.txt"), &Environment::new()).unwrap();
        let numbers: Vec<usize> = lines.iter().map(|line| line.line).collect();
        prop_assert_eq!(numbers, (1..=names.len()).collect::<Vec<_>>());
        let texts: Vec<String> = lines.into_iter().map(|line| line.text).collect();
        prop_assert_eq!(texts, names);
    }
}
