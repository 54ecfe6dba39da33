//! What a uv of ours sees of the machine.

use std::collections::BTreeMap;
use std::path::Path;

use super::PythonRequest;

/// The variables of each start of uv: how it reaches indexes, and what it may do.
pub(super) fn surroundings(request: &PythonRequest<'_>) -> BTreeMap<String, String> {
    let mut variables = request.host.without_tool_settings();
    let mut set = |name: &str, value: String| {
        variables.insert(name.to_owned(), value);
    };
    let shown = |path: &Path| path.display().to_string();
    set("UV_CACHE_DIR", shown(request.cache));
    set("UV_PYTHON_DOWNLOADS", "never".to_owned());
    set("UV_NO_PROGRESS", "1".to_owned());
    set("NO_COLOR", "1".to_owned());
    set("UV_NO_WRAP", "1".to_owned());
    if request.offline {
        set("UV_OFFLINE", "1".to_owned());
    }
    let given = |name: &str| request.host.variable(name).is_some();
    match &request.asked.indexes.certificates {
        Some(bundle) if !given("SSL_CERT_FILE") => set("SSL_CERT_FILE", shown(bundle)),
        _ if !given("UV_SYSTEM_CERTS") && !given("UV_NATIVE_TLS") => {
            // Newer releases call it by the first name, older ones by the second.
            set("UV_SYSTEM_CERTS", "1".to_owned());
            set("UV_NATIVE_TLS", "1".to_owned());
        }
        _ => {}
    }
    if let Some(proxy) = &request.asked.indexes.proxy {
        for name in ["HTTP_PROXY", "HTTPS_PROXY"] {
            if !given(name) && !given(&name.to_ascii_lowercase()) {
                set(name, proxy.reveal().to_owned());
            }
        }
    }
    variables
}
