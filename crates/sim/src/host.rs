//! The card host: balances and static PINs, behind the issuer.
