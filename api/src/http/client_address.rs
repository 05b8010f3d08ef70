//! From where a request comes, for counting. It proves nothing, and nothing is allowed because of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{Extensions, HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Half of an IPv6 address is the network that one customer gets; the other half is theirs to choose from.
const IPV6_NETWORK_BITS: u32 = 64;

/// The other end of the connection, put into a request's extensions by the server.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClientNetwork(IpAddr);

impl ClientNetwork {
    /// The peer's; or, with a trusted proxy in front, the one that the proxy has seen: the last hop of
    /// `X-Forwarded-For`. All before it are what somebody else claims.
    pub fn of(extensions: &Extensions, headers: &HeaderMap, proxy_trusted: bool) -> Self {
        let forwarded = if proxy_trusted { last_hop(headers) } else { None };
        let peer = || extensions.get::<Peer>().map(|peer| peer.0.ip());
        // Without a socket there is no telling anybody apart.
        Self::containing(forwarded.or_else(peer).unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }

    fn containing(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let host_bits = u128::BITS - IPV6_NETWORK_BITS;
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> host_bits << host_bits))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

fn last_hop(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(X_FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    let hop = last.rsplit(',').next()?.trim();
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &[&str], proxy_trusted: bool) -> ClientNetwork {
        let (mut extensions, mut headers) = (Extensions::new(), HeaderMap::new());
        extensions.insert(Peer(peer.parse().unwrap()));
        for hops in forwarded {
            headers.append(X_FORWARDED_FOR, hops.parse().unwrap());
        }
        ClientNetwork::of(&extensions, &headers, proxy_trusted)
    }

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork(address.parse().unwrap())
    }

    #[test]
    fn the_last_hop_counts_and_only_behind_a_trusted_proxy() {
        let peer = "192.0.2.1:4000";
        assert_eq!(of(peer, &[], true), network("192.0.2.1"));
        assert_eq!(of(peer, &["198.51.100.7"], false), network("192.0.2.1"));
        for hops in [&["198.51.100.7"][..], &["10.0.0.1, 198.51.100.7"], &["10.0.0.1", "x, 198.51.100.7:1234"]] {
            assert_eq!(of(peer, hops, true), network("198.51.100.7"), "{hops:?}");
        }
        for hops in [&["unknown"][..], &["198.51.100.7, "], &["198.51.100.7", "-"]] {
            assert_eq!(of(peer, hops, true), network("192.0.2.1"), "{hops:?}");
        }
    }

    #[test]
    fn an_ipv6_client_is_its_network_and_a_mapped_one_is_ipv4() {
        let one = of("[2001:db8:1:2:3:4:5:6]:4000", &[], false);
        assert_eq!(one, network("2001:db8:1:2::"));
        assert_eq!(one, of("192.0.2.1:1", &["[2001:db8:1:2:ffff::1]:9"], true));
        assert_eq!(one, of("192.0.2.1:1", &["2001:db8:1:2::9"], true));
        assert_eq!(one, of("192.0.2.1:1", &["[2001:db8:1:2::9]"], true));
        assert_ne!(one, of("[2001:db8:1:3::1]:4000", &[], false));
        assert_eq!(of("[::ffff:192.0.2.1]:4000", &[], false), network("192.0.2.1"));
    }
}
