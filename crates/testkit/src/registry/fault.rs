use std::time::Duration;

/// Something that goes wrong with some requests.
#[derive(Clone, Debug)]
pub struct Fault {
    method: &'static str,
    path: String,
    passed: usize,
    left: usize,
    effect: Effect,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The request is not handled: this is answered, before the request's body was read.
    Answer {
        /// The status.
        status: u16,
        /// Headers, in order.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: String,
    },
    /// The connection is closed; the request is not handled.
    DropBefore,
    /// The request is handled, and the connection closed without an answer.
    DropAfter,
    /// The connection is closed after so many bytes of the answer's body.
    Truncate(usize),
    /// The first byte of the answer's body is another one.
    Corrupt,
    /// The answer comes late.
    Delay(Duration),
    /// After half of the answer's body nothing comes any more.
    Stall,
    /// The request's body is not read, and nothing answered.
    Hang,
}

impl Fault {
    /// A fault of every request with this method (`*` is any) whose path and query contain `path`.
    pub fn on(method: &'static str, path: &str, effect: Effect) -> Self {
        Self { method, path: path.to_owned(), passed: 0, left: usize::MAX, effect }
    }

    /// Only the next `count` such requests.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self { left: count, ..self }
    }

    /// Only after `count` such requests went well.
    #[must_use]
    pub fn after(self, count: usize) -> Self {
        Self { passed: count, ..self }
    }

    /// The effect on a request, which is then counted.
    pub(super) fn meet(&mut self, method: &str, path: &str) -> Option<Effect> {
        if !(self.method == "*" || self.method == method) || !path.contains(&self.path) {
            return None;
        }
        if self.passed > 0 {
            self.passed -= 1;
            return None;
        }
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some(self.effect.clone())
    }
}

impl Effect {
    /// An answer with a status alone.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: String::new() }
    }

    /// An answer with the registry's error document.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string();
        Self::Answer { status, headers: vec![("content-type", "application/json".to_owned())], body }
    }
}
