//! The `uv.toml` of one resolution.

use toml::{Table, Value};

use super::{Index, IndexSettings, Refresh};

/// Index pages are believed for ten minutes, so that a second build sends no request for them.
const PAGE_SECONDS: u32 = 600;

/// A file of an index never changes under its name.
const FILES: &str = "max-age=365000000, immutable";

/// Every index with its cache control, and the user's other settings.
///
/// uv keeps the control with the page, and asks for a page that is fresh by it not even with `--refresh`. To ask
/// anew is to have no control of pages.
///
/// The default index is written even when it is uv's own, because only a written one takes a cache control.
pub(super) fn text(settings: &IndexSettings, uv_default: &str, refresh: Refresh) -> String {
    let mut table = settings.further.clone();
    if settings.no_index {
        table.insert("no-index".to_owned(), true.into());
    } else {
        let own = Index::parse(uv_default);
        let default = settings.default.as_ref().unwrap_or(&own);
        let additional = settings.additional.iter().map(|index| entry(index, false, refresh));
        let indexes = additional.chain([entry(default, true, refresh)]).map(Value::Table);
        table.insert("index".to_owned(), Value::Array(indexes.collect()));
    }
    let mut list = |key: &str, items: &[String]| {
        if !items.is_empty() {
            table.insert(
                key.to_owned(),
                items.iter().map(String::as_str).map(Value::from).collect::<Vec<_>>().into(),
            );
        }
    };
    list("find-links", &settings.find_links);
    list("allow-insecure-host", &settings.insecure_hosts);
    table.to_string()
}

fn entry(index: &Index, is_default: bool, refresh: Refresh) -> Table {
    let mut table = index.further.clone();
    table.extend(index.name.iter().map(|name| ("name".to_owned(), Value::from(name.as_str()))));
    table.insert("url".to_owned(), index.url.reveal().into());
    if is_default {
        table.insert("default".to_owned(), true.into());
    }
    let mut control = Table::from_iter([("files".to_owned(), Value::from(FILES))]);
    if refresh == Refresh::WhenOld {
        control.insert("api".to_owned(), Value::from(format!("max-age={PAGE_SECONDS}")));
    }
    table.insert("cache-control".to_owned(), control.into());
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_its_cache_control() {
        let extra = ["https://u:p@one/simple".to_owned()];
        let settings = IndexSettings::default().with_spec(None, &extra);
        let table: Table = text(&settings, "https://own/simple", Refresh::WhenOld).parse().unwrap();
        let indexes = table["index"].as_array().unwrap();
        assert_eq!(indexes.len(), 2);
        assert_eq!(indexes[0]["url"].as_str(), Some("https://u:p@one/simple"));
        assert_eq!(indexes[1]["default"].as_bool(), Some(true));
        for index in indexes {
            assert_eq!(index["cache-control"]["api"].as_str(), Some("max-age=600"));
        }
    }

    #[test]
    fn without_an_index_none_is_asked() {
        let settings =
            IndexSettings { no_index: true, find_links: vec!["/w".to_owned()], ..Default::default() };
        let table: Table = text(&settings, "https://own/simple", Refresh::WhenOld).parse().unwrap();
        assert_eq!(table["no-index"].as_bool(), Some(true));
        assert!(!table.contains_key("index"));
        assert_eq!(table["find-links"].as_array().unwrap().len(), 1);
    }
}
