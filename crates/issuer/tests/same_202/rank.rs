//! Whether two series of times come from the same distribution: the rank test of Mann and Whitney, with the normal
//! approximation and the correction for ties. Ranks and not means: response times have long tails.
//!
//! Source: H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables is stochastically larger than the
//! other", 1947; the variance with ties as in E. L. Lehmann, "Nonparametrics", 1975, section 1.4.

/// What the test says of one series beside another.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Ranked {
    /// The probability that one of the first is greater than one of the second; a tie is half. 0.5: nothing to tell apart.
    pub(crate) superiority: f64,
    /// The standard error of it, if both are the same.
    pub(crate) error: f64,
    /// Two-sided.
    pub(crate) p: f64,
}

impl Ranked {
    /// How many standard errors the superiority is away from one half.
    pub(crate) fn z(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { (self.superiority - 0.5) / self.error }
    }
}

/// Compares two series, neither of them empty.
pub(crate) fn compare(first: &[u64], second: &[u64]) -> Ranked {
    let mut all: Vec<(u64, bool)> = first.iter().map(|value| (*value, true)).collect();
    all.extend(second.iter().map(|value| (*value, false)));
    all.sort_unstable();
    let (mut ranks_of_first, mut below, mut ties) = (0.0, 0.0, 0.0);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let many = count(equal.len());
        let rank = below + (many + 1.0) / 2.0;
        ranks_of_first += rank * count(equal.iter().filter(|(_, of_first)| *of_first).count());
        below += many;
        ties += many.powi(3) - many;
    }
    let (n, m) = (count(first.len()), count(second.len()));
    let (pairs, both) = (n * m, n + m);
    let u = ranks_of_first - n * (n + 1.0) / 2.0;
    let variance = pairs / 12.0 * (both + 1.0 - ties / (both * (both - 1.0)));
    let ranked = Ranked { superiority: u / pairs, error: variance.sqrt() / pairs, p: 1.0 };
    Ranked { p: beyond(ranked.z().abs()), ..ranked }
}

/// The value in the middle.
pub(crate) fn median(series: &[u64]) -> u64 {
    let mut sorted = series.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap())
}

/// The part of a normal distribution that is at least `z` away from its mean, to either side: Abramowitz and Stegun,
/// 7.1.26, whose error is below 1.5e-7.
fn beyond(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let factors = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    factors.iter().fold(0.0, |sum, factor| (sum + factor) * t) * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: &[u64], second: &[u64], superiority: f64, z: f64, p: f64) {
        let ranked = compare(first, second);
        assert!((ranked.superiority - superiority).abs() < 1e-9, "{ranked:?}");
        assert!((ranked.z() - z).abs() < 1e-3, "{ranked:?}: {}", ranked.z());
        assert!((ranked.p - p).abs() < 1e-3, "{ranked:?}");
    }

    #[test]
    fn the_textbooks_example_comes_out() {
        // Hollander and Wolfe, "Nonparametric Statistical Methods", 1973, page 69: W = 35, large-sample value 1.22.
        let at_term = [80, 83, 189, 104, 145, 138, 191, 164, 73, 146];
        let before = [115, 88, 90, 74, 121];
        check(&at_term, &before, 35.0 / 50.0, 1.2247, 0.2207);
        check(&before, &at_term, 15.0 / 50.0, -1.2247, 0.2207);
    }

    #[test]
    fn ties_count_half_and_narrow_the_error() {
        // U = 1 + 3 · ½; variance 12/12 · (8 − (24 + 6)/42).
        check(&[1, 2, 2, 3], &[2, 3, 4], 2.5 / 12.0, -1.2967, 0.1947);
        check(&[7, 7], &[7, 7, 7], 0.5, 0.0, 1.0);
    }

    #[test]
    fn what_is_always_greater_is_told_apart() {
        let (low, high): (Vec<u64>, Vec<u64>) = ((0..100).collect(), (100..200).collect());
        let ranked = compare(&high, &low);
        assert!(
            (ranked.superiority - 1.0).abs() < 1e-9 && ranked.z() > 12.0 && ranked.p < 1e-6,
            "{ranked:?}"
        );
    }
}
