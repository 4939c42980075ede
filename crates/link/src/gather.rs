//! What may pass: every byte as it comes, or only whole requests.

/// A gate that bytes go through.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Bytes of a request that is not whole yet; `None` when everything passes at once.
    gathered: Option<Vec<u8>>,
}

impl Gate {
    /// Everything passes as it comes.
    pub(crate) const fn open() -> Self {
        Self { gathered: None }
    }

    /// Requests pass when they are whole: their head, and as many bytes as its `content-length` says.
    pub(crate) const fn whole_requests() -> Self {
        Self { gathered: Some(Vec::new()) }
    }

    /// Takes bytes in and gives those that may pass.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(gathered) = &mut self.gathered else { return bytes.to_vec() };
        gathered.extend_from_slice(bytes);
        let mut passing = Vec::new();
        while let Some(length) = whole_request(gathered) {
            passing.extend(gathered.drain(..length));
        }
        passing
    }
}

/// The length of the first request when all of it is there.
fn whole_request(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(bytes.get(..head)?).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let whole = head.saturating_add(length);
    (bytes.len() >= whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_gate_lets_everything_through() {
        assert_eq!(Gate::open().pass(b"POST /"), b"POST /");
    }

    #[test]
    fn a_request_passes_with_its_last_byte_and_the_next_one_waits_for_its_own() {
        let request = b"POST /v1/sync HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde";
        let mut gate = Gate::whole_requests();
        let last = request.len() - 1;
        assert_eq!(gate.pass(&request[..last]), b"");
        assert_eq!(gate.pass(b"eGET / HTTP/1.1\r\n"), request);
        assert_eq!(gate.pass(b"\r\n"), b"GET / HTTP/1.1\r\n\r\n");
    }
}
