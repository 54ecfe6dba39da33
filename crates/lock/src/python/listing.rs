//! The archives of source that the indexes in force have of a distribution.

use std::io;
use std::path::Path;

use imagewright_oci::Digest;
use imagewright_pypa::PackageName;
use imagewright_store::{DocumentKind, Store};
use toml::Value;
use url::Url;

use super::page::Listed;
use super::source_requirement::bare;
use super::{Index, PythonError, PythonRequest};
use crate::LockError;
use crate::download::{DownloadError, Downloads, Wanted};
use crate::uv::Host;

/// What a page listed when it was last read, by its address: without network it is what there is.
const PAGE: DocumentKind = DocumentKind("index-page");

/// What the page of an index is asked for as, the best first.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.2";

/// Reads pages of indexes.
#[derive(Clone, Copy, Debug)]
pub struct IndexPages<'a> {
    /// Keeps what was read.
    pub store: &'a Store,
    /// The network, with the credentials of the indexes.
    pub downloads: &'a Downloads,
}

impl IndexPages<'_> {
    /// All archives of a distribution that an installer may choose among. As uv has it, the first index that knows the
    /// distribution is the only one, unless the settings say otherwise.
    pub(super) async fn archives(
        &self,
        name: &PackageName,
        request: &PythonRequest<'_>,
        uv_default: &str,
    ) -> Result<Vec<Listed>, LockError> {
        let settings = &request.asked.indexes;
        let mut files = Vec::new();
        for link in &settings.find_links {
            let address = address(link, request.host);
            match address.as_ref().and_then(folder) {
                Some(folder) => files.extend(of_folder(name, &folder)?),
                None => files.extend(self.page(name, address, request).await?.unwrap_or_default()),
            }
        }
        let own = Index::parse(uv_default);
        let indexes = settings.additional.iter().chain([settings.default.as_ref().unwrap_or(&own)]);
        let is_every = is_every_index_asked(request);
        for index in indexes.filter(|index| !settings.no_index && !is_for_others(index)) {
            let Some(found) = self.page(name, page_of(index, name, request.host), request).await? else {
                continue;
            };
            files.extend(found);
            if !is_every {
                break;
            }
        }
        Ok(Listed::one_of_each(files))
    }

    /// What a page lists; none where there is no page.
    async fn page(
        &self,
        name: &PackageName,
        address: Option<Url>,
        request: &PythonRequest<'_>,
    ) -> Result<Option<Vec<Listed>>, LockError> {
        let Some(address) = address.and_then(bare) else { return Ok(None) };
        let key = Digest::of(format!("{name} {address}").as_bytes());
        if request.offline
            && let Some(known) = self.store.document(PAGE, &key)?
        {
            return Ok(known);
        }
        let file_name = format!("the list of the files of {name}");
        let wanted = Wanted { url: &address, file_name: &file_name, digest: None };
        let found = match self.downloads.page(&wanted, ACCEPT).await {
            Ok(found) => found.map(|page| Listed::of_page(name, &page.address, &page.bytes)),
            // Where files lie in a store of objects, what is not there is forbidden.
            Err(DownloadError::Refused { status, .. }) if status.as_u16() == 403 => None,
            Err(error) => return Err(error.into()),
        };
        self.store.put_document(PAGE, &key, &found)?;
        Ok(found)
    }
}

/// A URL, or a path of this machine.
fn address(text: &str, host: &Host) -> Option<Url> {
    if text.contains("://") { Url::parse(text).ok() } else { Url::from_file_path(host.absolute(text)).ok() }
}

fn folder(address: &Url) -> Option<std::path::PathBuf> {
    (address.scheme() == "file").then(|| address.to_file_path().ok()).flatten().filter(|path| path.is_dir())
}

fn of_folder(name: &PackageName, folder: &Path) -> Result<Vec<Listed>, PythonError> {
    let read = || -> io::Result<Vec<Listed>> {
        let mut files = Vec::new();
        for entry in fs_err::read_dir(folder)? {
            let url = Url::from_file_path(entry?.path());
            files.extend(url.ok().and_then(|url| Listed::of_file(name, &url)));
        }
        Ok(files)
    };
    read().map_err(|source| PythonError::File { path: folder.to_owned(), source })
}

fn page_of(index: &Index, name: &PackageName, host: &Host) -> Option<Url> {
    let mut address = address(index.url.reveal(), host)?;
    if index.further.get("format").and_then(Value::as_str) == Some("flat") {
        return Some(address);
    }
    let page = if address.scheme() == "file" { "index.html" } else { "" };
    address.path_segments_mut().ok()?.pop_if_empty().extend([name.as_str(), page]);
    Some(address)
}

/// Whether only packages that are assigned to an index are taken from it, and nothing here assigns any.
fn is_for_others(index: &Index) -> bool {
    index.further.get("explicit").and_then(Value::as_bool).unwrap_or(false)
}

fn is_every_index_asked(request: &PythonRequest<'_>) -> bool {
    let asked = request.asked;
    let option = asked.options.uv_value("--index-strategy");
    let setting = || asked.indexes.further.get("index-strategy").and_then(Value::as_str);
    let variable = || request.host.variable("UV_INDEX_STRATEGY");
    option.or_else(variable).or_else(setting).is_some_and(|strategy| strategy.starts_with("unsafe-"))
}
