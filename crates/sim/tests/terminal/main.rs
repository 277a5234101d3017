//! Terminals against a small issuer of the tests' own, over loopback sockets and both layouts: what is asked, what is shown and
//! printed, refusals, silence, and the same over HTTP.

#[cfg(test)]
mod issuer;
#[cfg(test)]
mod paying;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod web;
