//! A server in the test's own process, on a thread of its own, so that tests of blocking programs can use it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

/// The body of an answer; an error in it closes the connection.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A running server; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers requests on a free port of this machine; an error of `handle` closes the connection unanswered.
    pub(crate) fn start<F>(handle: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a fresh socket can be changed");
        let address = listener.local_addr().expect("the socket is bound");
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, handle) => {}
                }
            });
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:<port>`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }
}

async fn accept<F>(listener: TcpListener, handle: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static)
where
    F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener).expect("the socket is not blocking");
    while let Ok((stream, _)) = listener.accept().await {
        let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle.clone()));
        tokio::spawn(async move {
            // Connections end with an error when a fault ends them, or the client does.
            drop(served.await);
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A thread that has ended on its own no longer listens.
        let was_running = self.stop.take().is_some_and(|stop| stop.send(()).is_ok());
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        assert!((was_running && ended) || std::thread::panicking(), "the test server ended early");
    }
}
