use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::transport::TransportError;

/// Reads at most `most` bytes of a body within `limit`; what follows is not read.
pub(crate) async fn read_limited(
    mut response: reqwest::Response,
    most: usize,
    limit: Duration,
) -> Result<Bytes, TransportError> {
    let read = async {
        let mut body = BytesMut::new();
        while body.len() < most {
            let Some(chunk) = response.chunk().await.map_err(TransportError::of)? else { break };
            body.extend_from_slice(&chunk[..chunk.len().min(most - body.len())]);
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(limit, read).await.unwrap_or(Err(TransportError::TimedOut { limit }))
}

/// Reads the body of an answer, whole, and gives the answer with it: a body that breaks is no answer then.
pub(crate) async fn read_ahead(
    response: reqwest::Response,
    most: usize,
    limit: Duration,
) -> Result<reqwest::Response, TransportError> {
    let mut head = http::Response::new(());
    *head.status_mut() = response.status();
    *head.headers_mut() = response.headers().clone();
    let body = read_limited(response, most, limit).await?;
    Ok(head.map(|()| body).into())
}
