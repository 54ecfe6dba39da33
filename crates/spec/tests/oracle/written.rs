//! Specs that are written anew are the same specs, whatever is in them.

use imagewright_spec::{ParseOptions, SpecDocument, SpecFormat};

use super::generate::{self, Notation};
use super::random::Random;

const SPECS: usize = 1500;

#[test]
fn a_spec_that_is_written_anew_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(20_261_122);
    let options = ParseOptions::default();
    let (mut read, mut carried) = (0, 0);
    for index in 0..SPECS {
        let notation = if index % 2 == 0 { Notation::Json } else { Notation::Yaml };
        let spec = generate::spec(&mut random, notation, folder.path(), 0);
        let (text, own, other) = match notation {
            Notation::Json => (spec.to_json(), SpecFormat::Json, SpecFormat::Yaml),
            Notation::Yaml => (spec.to_yaml(&mut random), SpecFormat::Yaml, SpecFormat::Json),
        };
        let Ok(document) = SpecDocument::parse(&text) else { continue };
        let Ok(spec) = document.spec(&options) else { continue };
        read += 1;
        let written = document.written(own, &options).unwrap();
        assert!(written.is_same, "{text}\n---\n{}", written.text);
        let again = SpecDocument::parse(&written.text).unwrap();
        assert_eq!(again.spec(&options).unwrap().id(), spec.id(), "{text}\n---\n{}", written.text);
        // What is normal stays as it is.
        assert_eq!(again.written(own, &options).unwrap(), written);
        // The other notation has not all values, but says so.
        let written = document.written(other, &options).unwrap();
        if written.is_same {
            carried += 1;
            let read = SpecDocument::parse(&written.text).unwrap().spec(&options).unwrap();
            assert_eq!(read.id(), spec.id(), "{text}\n---\n{}", written.text);
        }
    }
    assert!(read > SPECS / 2 && carried > read / 2, "{read} {carried}");
}
