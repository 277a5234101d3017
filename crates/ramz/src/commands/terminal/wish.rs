//! The words of `ramz terminal`, and what they ask for.

use clap::Subcommand;
use ramz_sim::terminal::{Machine, Paying, Payment, Service, Wanted};

#[derive(Debug, Subcommand)]
pub(super) enum Wish {
    /// Activate the app: one half of the code is printed, the other comes by SMS (900000)
    ActivateApp,
    /// PINs by SMS
    #[command(subcommand)]
    Sms(Sms),
    /// The app
    #[command(subcommand)]
    App(App),
    /// The dynamic first PIN
    #[command(subcommand)]
    FirstPin(FirstPin),
    /// Unlock after wrong PINs (940000)
    Unlock,
    /// Devices with the app
    #[command(subcommand)]
    Devices(Devices),
    /// Withdraw cash, with machine = "atm" (0200, 010000)
    Withdraw {
        /// Rial: a multiple of 500000, 20000000 at most
        #[arg(long, value_name = "RIAL")]
        amount: u64,
    },
    /// Pay in a shop, with machine = "pos" (0200, 000000)
    Pay {
        /// Rial
        #[arg(long, value_name = "RIAL")]
        amount: u64,
    },
    /// What is on the card, with machine = "atm" (0200, 310000)
    Balance,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Sms {
    /// Show the registered mobile, masked (910000)
    Show,
    /// Confirm it and activate PINs by SMS (911000)
    On,
    /// Switch PINs by SMS off (921000)
    Off,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum App {
    /// Switch the app off (920000)
    Off,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum FirstPin {
    /// Make the first PIN dynamic (930000)
    On,
    /// Go back to the static one (931000)
    Off,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Devices {
    /// List them (950000)
    List,
    /// Remove one (951000)
    Revoke {
        /// Its number in the list
        number: String,
    },
}

/// What is asked of the bank.
pub(super) enum Asking {
    Service(Wanted),
    Payment(Paying),
}

impl Wish {
    /// What it asks for at this machine.
    pub(super) fn asking(&self, machine: Machine) -> anyhow::Result<Asking> {
        let paying = |payment, amount| {
            let read = Paying::new(machine, payment, amount);
            read.map(Asking::Payment).map_err(|error| {
                let at = if error.pointer == "/payment" { "terminal.machine" } else { "the amount" };
                anyhow::anyhow!("{at}: {}", error.detail)
            })
        };
        match self {
            Wish::Withdraw { amount } => paying(Payment::Withdrawal, Some(*amount)),
            Wish::Pay { amount } => paying(Payment::Purchase, Some(*amount)),
            Wish::Balance => paying(Payment::Balance, None),
            _ if machine.has_services() => self.wanted().map(Asking::Service),
            _ => anyhow::bail!("terminal.machine: a pos has no menu of services; write atm or cashless"),
        }
    }

    fn wanted(&self) -> anyhow::Result<Wanted> {
        let (service, choice) = match self {
            Wish::ActivateApp => (Service::ActivateApp, None),
            Wish::Sms(Sms::Show) => (Service::ShowPhone, None),
            Wish::Sms(Sms::On) => (Service::ActivateSms, None),
            Wish::Sms(Sms::Off) => (Service::SmsOff, None),
            Wish::App(App::Off) => (Service::AppOff, None),
            Wish::FirstPin(FirstPin::On) => (Service::FirstPinOn, None),
            Wish::FirstPin(FirstPin::Off) => (Service::FirstPinOff, None),
            Wish::Unlock => (Service::Unlock, None),
            Wish::Devices(Devices::List) => (Service::ListDevices, None),
            Wish::Devices(Devices::Revoke { number }) => (Service::RevokeDevice, Some(number.as_str())),
            Wish::Withdraw { .. } | Wish::Pay { .. } | Wish::Balance => anyhow::bail!("this is no service"),
        };
        Wanted::new(service, choice).map_err(|error| anyhow::anyhow!("the device: {}", error.detail))
    }
}
