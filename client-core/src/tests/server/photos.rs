//! What the server in memory does with photos.

use ruhu_survey::photo::PhotoAddress;

use super::*;

/// A photo as far as it came.
#[derive(Debug, Clone, Default)]
pub(in crate::tests) struct Came {
    pub(in crate::tests) bytes: Vec<u8>,
    pub(in crate::tests) whole: bool,
}

impl FakeServer {
    /// Answers a question about a photo, a piece of one, or gives bytes of one.
    pub(super) fn photo(&self, request: &HttpRequest) -> HttpResponse {
        let fresh = [("ruhu-nonce", self.nonce())];
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let asks = path.ends_with("/held");
        let checked = match asks {
            true => self.check_signature(request, &header(request, "ruhu-nonce"), &[]),
            false => self.check(request, &request.body),
        };
        if let Err((status, code)) = checked {
            return problem(status, code, &fresh);
        }
        let address: PhotoAddress =
            path.trim_end_matches("/held").rsplit('/').next().unwrap().parse().unwrap();
        let number = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map_or(0, |value| value.parse::<usize>().unwrap())
        };
        let mut state = self.state.lock().unwrap();
        if let Some((status, code)) = state.refuses_photos {
            return problem(status, code, &fresh);
        }
        if request.method == "GET" && !asks {
            let Some(came) = state.photos.get(&address).filter(|came| came.whole) else {
                return problem(404, "not_found", &fresh);
            };
            let end = came.bytes.len().min(number("from") + number("most"));
            return answer(200, came.bytes[number("from")..end].to_vec(), &fresh);
        }
        let spoils = state.spoils_photos;
        let came = state.photos.entry(address).or_default();
        if request.method == "POST" && !came.whole {
            if number("at") != came.bytes.len() {
                return problem(409, "photo_piece_misplaced", &fresh);
            }
            came.bytes.extend_from_slice(&request.body);
            came.whole = came.bytes.len() == number("of");
            if came.whole && (spoils || PhotoAddress::of(&came.bytes) != address) {
                *came = Came::default();
                return problem(422, "photo_hash_differs", &fresh);
            }
            let body = request.body.len();
            let came = came.clone();
            state.photo_pieces.push(body);
            return held(&came, &fresh);
        }
        held(&came.clone(), &fresh)
    }

    /// The photo of this name, as far as it came.
    pub(in crate::tests) fn photo_came(&self, address: &PhotoAddress) -> Came {
        self.state.lock().unwrap().photos.get(address).cloned().unwrap_or_default()
    }

    /// The bytes of each piece that was taken since the last time.
    pub(in crate::tests) fn pieces(&self) -> Vec<usize> {
        std::mem::take(&mut self.state.lock().unwrap().photo_pieces)
    }
}

fn held(came: &Came, headers: &[(&str, String)]) -> HttpResponse {
    let body = format!("{{\"bytes\":{},\"whole\":{}}}", came.bytes.len(), came.whole);
    answer(200, body.into_bytes(), headers)
}
