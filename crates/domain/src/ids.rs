//! Identifiers, each a type of its own so that one is never passed for another.

use std::fmt;

use minicbor::{Decode, Encode};

const HEX: &[u8; 16] = b"0123456789abcdef";

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

        impl $name {
            /// A fresh one: 128 random bits.
            pub fn random(entropy: &dyn crate::Entropy) -> $name {
                $name(crate::ambient::random_bytes(entropy))
            }

            /// Reads 32 hexadecimal digits.
            pub fn parse(text: &str) -> Option<$name> {
                let bytes = text.as_bytes();
                if bytes.len() != 32 {
                    return None;
                }
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                let mut id = [0; 16];
                for (byte, pair) in id.iter_mut().zip(bytes.chunks_exact(2)) {
                    *byte = digit(pair[0])? << 4 | digit(pair[1])?;
                }
                Some($name(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // At once: a log line names two or three of them.
                let mut text = [0; 32];
                for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
                    pair[0] = HEX[usize::from(byte >> 4)];
                    pair[1] = HEX[usize::from(byte & 15)];
                }
                f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

random_id! {
    /// A card's own name: random, so that it tells nothing of the PAN, and it stays when the PAN is reissued.
    CardId
}
random_id! {
    /// One PIN's own name: what makes two PINs for the same payment differ.
    ChallengeId
}
random_id! {
    /// One admitted PIN request: what its asker is told it by.
    AdmissionId
}
random_id! {
    /// One begun activation of the app: both halves of its code are made from it.
    ActivationId
}
random_id! {
    /// One activated device: what its requests are signed for.
    DeviceId
}
random_id! {
    /// One card on one device. Its reference, made on the phone: what the seed is sealed for must have a name before the bank
    /// has seen it.
    TokenId
}
random_id! {
    /// One payment at a payment page.
    PaymentId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back() {
        let id = CardId([0xa5; 16]);
        assert_eq!(CardId::parse(&id.to_string()), Some(id));
        assert_eq!(CardId::parse("a5"), None);
        assert_eq!(CardId::parse(&"g".repeat(32)), None);
        assert_eq!(CardId::parse(&"é".repeat(16)), None);
    }
}
