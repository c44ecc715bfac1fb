"""Black-box tests of TLS and DTLS; they also run against genuine Trio."""
