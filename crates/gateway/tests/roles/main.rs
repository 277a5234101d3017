//! The gateway as a role: over real loopback sockets, with a router and a bank that the test plays, a store in memory or
//! in a file, and a clock moved by hand.

#[cfg(test)]
mod bad_days;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod late;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod merchants;
#[cfg(test)]
mod page;
#[cfg(test)]
mod payers;
#[cfg(test)]
mod paying;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod undoing;
