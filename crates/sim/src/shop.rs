//! A shop that is paid through the gateway's merchant API.
