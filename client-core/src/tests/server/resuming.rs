//! The server's part in telling requests apart, and in going on where one was cut.

use ruhu_sync::authenticate::request_name;

use super::*;

/// An answer that says which request it is to.
pub(super) fn named(request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    let signature = header(request, "ruhu-signature");
    let name = request_name(&signature).map(|name| ("ruhu-answers".to_owned(), name.to_owned()));
    response.headers.extend(name);
    response
}

impl FakeServer {
    pub(super) fn note(&self, request: &HttpRequest) {
        let known = ["/v1/nonces", "/v1/sync/held", "/v1/sync", "/v1/villages"];
        let path = known.into_iter().find(|known| request.path.starts_with(known));
        self.state.lock().unwrap().asked.extend(path);
    }

    /// The next answer to a sync is the one that [`Fault::IsRepeated`] repeats.
    pub(in crate::tests) fn forget_first_answer(&self) {
        self.state.lock().unwrap().first_answer = None;
    }

    /// What was asked for since the last time, in its order.
    pub(in crate::tests) fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// The body of a request with what was kept of its beginning.
    pub(super) fn whole_body(&self, request: &HttpRequest, fault: Option<Fault>) -> Option<Vec<u8>> {
        let offset: usize = header(request, "ruhu-offset").parse().unwrap_or(0);
        let (id, held) = self.state.lock().unwrap().held.clone();
        let fits = offset == 0 || (id == header(request, "ruhu-request") && held.len() >= offset);
        let mut before =
            (fits && fault != Some(Fault::ForgetsWhatItHeld)).then(|| held[..offset].to_vec())?;
        if fault == Some(Fault::HoldsOtherBytes) {
            before[0] ^= 1;
        }
        Some([before, request.body.clone()].concat())
    }

    /// Says how much it kept of a request.
    pub(super) fn held(&self, request: &HttpRequest) -> HttpResponse {
        let fresh = [("ruhu-nonce", self.nonce())];
        let nonce = header(request, "ruhu-nonce");
        if let Err((status, code)) = self.check_signature(request, &nonce, &[]) {
            return problem(status, code, &fresh);
        }
        let (id, bytes) = self.state.lock().unwrap().held.clone();
        let bytes = if request.path.ends_with(&id) && !id.is_empty() { bytes.len() } else { 0 };
        answer(200, format!("{{\"bytes\":{bytes}}}").into_bytes(), &fresh)
    }

    /// Breaks off inside a request, and keeps so many bytes of it.
    pub(super) fn cut(&self, request: &HttpRequest, bytes: usize) {
        let body = self.whole_body(request, None).unwrap_or_default();
        let offset = body.len() - request.body.len();
        let kept = body[..(offset + bytes).min(body.len())].to_vec();
        self.state.lock().unwrap().held = (header(request, "ruhu-request"), kept);
    }
}
