//! The registry's token service, and whether a request is allowed.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Response;
use serde_json::json;
use url::form_urlencoded;

use super::api::{Answer, answer, error};
use super::rules::Login;
use super::state::State;

/// Answers a request to `/token`: the parameters are those of the query or of the form.
pub(super) fn token(state: &mut State, parameters: &str, authorization: Option<&str>) -> Answer {
    let Login::Token { user, password, identity_token, public, expires_in } = state.rules.login.clone()
    else {
        return answer(404, "");
    };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(parameters.as_bytes())
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .collect();
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let is_user = match (authorization, value("refresh_token")) {
        (Some(header), _) if header == basic(&user, &password) => true,
        (None, Some(given)) if given == identity_token && value("grant_type") == Some("refresh_token") => {
            true
        }
        (None, None) => false,
        _ => return error(401, "UNAUTHORIZED", "incorrect username or password"),
    };
    let asked = pairs.iter().filter(|(key, _)| key == "scope").flat_map(|(_, text)| text.split(' '));
    let rights: BTreeSet<String> = asked
        .filter_map(|scope| scope.strip_prefix("repository:")?.rsplit_once(':'))
        .flat_map(|(name, actions)| actions.split(',').map(move |action| (name, action)))
        .filter(|(name, action)| is_user || (*action == "pull" && public.contains(*name)))
        .map(|(name, action)| format!("{name}:{action}"))
        .collect();
    let token = format!("token-{}", state.number());
    state.tokens.insert(token.clone(), rights);
    answer(200, json!({"token": token, "expires_in": expires_in}).to_string())
}

/// The refusal of a request without the rights it needs, which are `repository:action`.
pub(super) fn refusal(
    state: &State,
    host: &str,
    authorization: Option<&str>,
    needed: &[(&str, &str)],
) -> Option<Answer> {
    match &state.rules.login {
        Login::Open => None,
        Login::Basic { user, password } => {
            let is_user = authorization == Some(&basic(user, password));
            (!is_user).then(|| challenge(r#"Basic realm="test""#))
        }
        Login::Token { .. } => {
            let token = authorization.and_then(|header| header.strip_prefix("Bearer "));
            let rights = token.and_then(|token| state.tokens.get(token));
            let has = |(name, action): &(&str, &str)| {
                rights.is_some_and(|rights| rights.contains(&format!("{name}:{action}")))
            };
            if needed.iter().all(has) {
                return None;
            }
            let scopes: Vec<String> =
                needed.iter().map(|(name, action)| format!("repository:{name}:{action}")).collect();
            Some(challenge(&format!(
                r#"Bearer realm="http://{host}/token",service="test",scope="{}""#,
                scopes.join(" ")
            )))
        }
    }
}

fn challenge(value: &str) -> Answer {
    let mut refused = error(401, "UNAUTHORIZED", "authentication required");
    let value = value.parse().expect("a challenge is a header value");
    Response::headers_mut(&mut refused).insert("www-authenticate", value);
    refused
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
