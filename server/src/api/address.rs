//! Where a request comes from: the peer's address, or what the proxy in front says it is.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::AppState;

/// The header in which a proxy names the callers before it, the nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address that rates are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// An IPv4 address, or the /64 network of an IPv6 address: one home has as many addresses as it likes.
    pub(crate) address: IpAddr,
}

impl Caller {
    /// `peer` is the other end of the connection; behind a proxy of ours the last entry of its header
    /// counts, which the proxy wrote itself.
    pub(crate) fn of(peer: Option<SocketAddr>, headers: &HeaderMap, behind_proxy: bool) -> Self {
        let forwarded = headers.get_all(FORWARDED_FOR).iter().next_back();
        let forwarded = forwarded.filter(|_| behind_proxy).and_then(|value| value.to_str().ok());
        let forwarded = forwarded.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
        let address = forwarded.or(peer.map(|peer| peer.ip()));
        Self { address: network(address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))) }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        Ok(Self::of(peer, &parts.headers, state.behind_proxy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(peer: &str, forwarded: &[&'static str], behind_proxy: bool) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, axum::http::HeaderValue::from_static(value));
        }
        Caller::of(peer.parse().ok(), &headers, behind_proxy).address.to_string()
    }

    #[test]
    fn without_a_proxy_the_header_is_not_believed() {
        assert_eq!(caller("10.0.0.7:9", &["1.2.3.4"], false), "10.0.0.7");
    }

    #[test]
    fn behind_a_proxy_the_last_entry_counts() {
        assert_eq!(caller("127.0.0.1:9", &["6.6.6.6, 1.2.3.4"], true), "1.2.3.4");
        assert_eq!(caller("127.0.0.1:9", &["6.6.6.6", "1.2.3.4"], true), "1.2.3.4");
        assert_eq!(caller("127.0.0.1:9", &["somewhere"], true), "127.0.0.1");
        assert_eq!(caller("127.0.0.1:9", &[], true), "127.0.0.1");
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(caller("[2001:db8:1:2:3:4:5:6]:9", &[], false), "2001:db8:1:2::");
        assert_eq!(caller("[::ffff:10.0.0.7]:9", &[], false), "10.0.0.7");
        assert_eq!(caller("", &[], false), "::");
    }
}
