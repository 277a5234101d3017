//! What is pinned about the lab: outside programs rely on these ports and names.

/// A bank of the lab.
pub(crate) struct PinnedBank {
    /// As in the directory.
    pub(crate) id: &'static str,
    /// As its Persian SMS calls it.
    pub(crate) name_fa: &'static str,
    /// As its English SMS calls it.
    pub(crate) name_en: &'static str,
    /// What its SMS is from.
    pub(crate) sender: &'static str,
    /// The number its cardholders will text to.
    pub(crate) short_code: &'static str,
    /// First six digits of its cards.
    pub(crate) iins: &'static [&'static str],
}

/// The banks, in order of their ports.
pub(crate) const BANKS: [PinnedBank; 2] = [
    PinnedBank {
        id: "mellat",
        name_fa: "بانک ملت",
        name_en: "Bank Mellat",
        sender: "Bank Mellat",
        short_code: "30003303",
        iins: &["610433", "991975"],
    },
    PinnedBank {
        id: "melli",
        name_fa: "بانک ملی ایران",
        name_en: "Bank Melli Iran",
        sender: "Bank Melli",
        short_code: "30003304",
        iins: &["603799", "170019"],
    },
];

/// The acquirer, merchant and terminal of the lab's shop.
pub(crate) const ACQUIRER: &str = "581672061";
pub(crate) const MERCHANT: &str = "000000140332124";
pub(crate) const TERMINAL: &str = "14033212";
pub(crate) const MERCHANT_FA: &str = "فروشگاه نمونه";
pub(crate) const MERCHANT_EN: &str = "Sample Shop";
/// The lab's ATM and its cashless terminal, and the branch where both stand.
pub(crate) const ATM: &str = "00001001";
pub(crate) const CASHLESS: &str = "00002001";
pub(crate) const BRANCH: &str = "000000000001001";
/// The lab's POS terminal, and the shop round the corner where it stands.
pub(crate) const POS: &str = "00003001";
pub(crate) const GROCERY: &str = "000000000003001";
/// Where PINs are typed.
pub(crate) const ORIGIN: &str = "localhost";

/// The lab's ports, counted from the portal's.
#[derive(Clone, Copy)]
pub(crate) struct Ports(u16);

impl Ports {
    /// Ports from this one on: 60 above it are used.
    pub(crate) fn from(first: u16) -> anyhow::Result<Ports> {
        anyhow::ensure!((1..=65_000).contains(&first), "--port must be from 1 to 65000, {first} is not");
        Ok(Ports(first))
    }

    pub(crate) fn portal(self) -> u16 {
        self.0
    }

    pub(crate) fn shop(self) -> u16 {
        self.0 + 1
    }

    pub(crate) fn gateway(self) -> u16 {
        self.0 + 2
    }

    pub(crate) fn gateway_metrics(self) -> u16 {
        self.0 + 9
    }

    pub(crate) fn router(self) -> u16 {
        self.0 + 10
    }

    pub(crate) fn directory(self) -> u16 {
        self.0 + 11
    }

    pub(crate) fn router_metrics(self) -> u16 {
        self.0 + 19
    }

    /// A bank's port: 0 API, 1 ISO 8583, 2 back office, 3 app, 4 SMPP, 5 console, 6 card host, 9 metrics.
    pub(crate) fn bank(self, number: usize, of: BankPort) -> u16 {
        let number = u16::try_from(number).unwrap_or(0);
        self.0 + 20 + 10 * number + of as u16
    }
}

/// The last digit of a bank's ports.
#[derive(Clone, Copy)]
pub(crate) enum BankPort {
    Api = 0,
    Switch = 1,
    Admin = 2,
    App = 3,
    Smpp = 4,
    Host = 6,
    Metrics = 9,
}
