//! The operator's SMSC: an SMPP 3.4 server that delivers to handsets.
