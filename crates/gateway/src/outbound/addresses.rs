//! Which addresses are somebody's on the internet, and which lead into a network where the gateway is trusted.

use crate::config::Outbound;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Azure's metadata and health service, a public address that answers from inside; for others there is a setting.
const AZURE_INSIDE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Whether a customer may have the gateway connect there.
pub fn is_allowed(address: IpAddr, limits: &Outbound) -> bool {
    // ::ffff:10.0.0.1 connects to 10.0.0.1, and is judged as that.
    let plain = address.to_canonical();
    let is_refused = limits.refused_networks.iter().any(|network| network.contains(&plain));
    !is_refused && (is_public(plain) || is_named(address, limits))
}

/// Whether it stands in a network of the operator's that may be asked.
pub fn is_named(address: IpAddr, limits: &Outbound) -> bool {
    let plain = address.to_canonical();
    limits.private_networks.iter().any(|network| network.contains(&plain))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA's special-purpose registry for IPv4 (RFC 6890), from which nothing is public.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] | [198, 18 | 19, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [172, second, ..] => (16..32).contains(&second),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        [first, ..] => first >= 224,
    };
    !special && address != AZURE_INSIDE
}

/// 2000::/3 is what is given out; of it, tunnels and documentation are not (RFC 6890, 9637), for a tunnel's address hides
/// another one. Behind NAT64 (RFC 6052) stands an IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x2002, ..] => false,
        [0x3fff, second, ..] => second >= 0x1000,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;
    use crate::config::Outbound;
    use std::net::IpAddr;

    fn limits(private: &[&str], refused: &[&str]) -> Outbound {
        let read = |networks: &[&str]| networks.iter().map(|network| network.parse().unwrap()).collect();
        let timeout = std::time::Duration::from_secs(1);
        Outbound { private_networks: read(private), refused_networks: read(refused), timeout }
    }

    fn allowed(address: &str, private: &[&str]) -> bool {
        is_allowed(address.parse::<IpAddr>().unwrap(), &limits(private, &[]))
    }

    #[test]
    fn nothing_leads_inside() {
        let inside = [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in inside {
            assert!(!allowed(address, &[]), "{address}");
        }
    }

    #[test]
    fn the_internet_is_reached() {
        let outside = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "168.63.129.17",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3fff:1000::1",
        ];
        for address in outside {
            assert!(allowed(address, &[]), "{address}");
        }
    }

    #[test]
    fn a_network_is_reached_where_the_operator_says_so() {
        assert!(allowed("10.1.2.3", &["192.168.0.0/16", "10.1.0.0/16"]));
        assert!(allowed("::ffff:10.1.2.3", &["10.1.0.0/16"]));
        assert!(allowed("fd12::1", &["fd12::/16"]));
        assert!(!allowed("10.2.2.3", &["10.1.0.0/16"]));
        let limits = limits(&["10.1.0.0/16"], &["10.1.2.0/24", "2600:1f00::/24"]);
        for (address, expected) in
            [("10.1.1.1", true), ("10.1.2.1", false), ("2600:1f00::1", false), ("2600:1e00::1", true)]
        {
            assert_eq!(is_allowed(address.parse().unwrap(), &limits), expected, "{address}");
        }
    }
}
