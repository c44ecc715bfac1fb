//! Internet addresses between Python and Rust, in the form of the standard library's `socket` module.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use rustix::net::{AddressFamily, SocketAddrAny};

/// Is it one of the two internet families?
pub fn is_internet(family: AddressFamily) -> bool {
    family == AddressFamily::INET || family == AddressFamily::INET6
}

/// `(host, port)`, for IPv6 with flow information and scope; `None` where the kernel gave none.
pub fn to_python(py: Python<'_>, address: Option<SocketAddrAny>) -> PyResult<Bound<'_, PyAny>> {
    match address.and_then(|address| SocketAddr::try_from(address).ok()) {
        None => Ok(py.None().into_bound(py)),
        Some(SocketAddr::V4(v4)) => {
            Ok((v4.ip().to_string(), v4.port()).into_pyobject(py)?.into_any())
        }
        Some(SocketAddr::V6(v6)) => {
            let fields = (written(*v6.ip()), v6.port(), v6.flowinfo(), v6.scope_id());
            Ok(fields.into_pyobject(py)?.into_any())
        }
    }
}

/// An address that needs no resolution for a socket of this family: a tuple of a numeric host of the
/// same family, a port, and for IPv6 perhaps no flow information and a scope.
pub fn from_python(family: AddressFamily, address: &Bound<'_, PyAny>) -> Option<SocketAddr> {
    let fields = address.cast::<PyTuple>().ok()?;
    let host = fields.get_item(0).ok()?;
    let host = host.cast::<PyString>().ok()?.to_str().ok()?;
    let port: u16 = fields.get_item(1).ok()?.extract().ok()?;
    if family == AddressFamily::INET && fields.len() == 2 {
        return Some(SocketAddr::new(IpAddr::V4(host.parse::<Ipv4Addr>().ok()?), port));
    }
    if family != AddressFamily::INET6 {
        return None;
    }
    let scope: u32 = match fields.len() {
        2 => 0,
        4 if fields.get_item(2).ok()?.extract::<u32>().ok()? == 0 => {
            fields.get_item(3).ok()?.extract().ok()?
        }
        _ => return None,
    };
    Some(SocketAddr::V6(SocketAddrV6::new(host.parse().ok()?, port, 0, scope)))
}

/// An IPv6 address as C libraries write it: unlike Rust's they write the last 32 bits with dots if
/// nothing but zeros is in front of them.
fn written(ip: Ipv6Addr) -> String {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            format!("::{a}.{b}.{c}.{d}")
        }
        _ => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_written_as_in_c() {
        let text = |text: &str| written(text.parse().expect("an address"));
        for same in ["::", "::1", "1::2", "::ffff:1.2.3.4", "::1.2.3.4", "fe80::1:0:0:2"] {
            assert_eq!(text(same), same);
        }
    }
}
