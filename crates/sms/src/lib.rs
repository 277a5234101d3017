//! Words to and from a phone: the port, SMPP, the texts
