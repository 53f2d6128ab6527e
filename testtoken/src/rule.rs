//! Rules: what happens at which of the calls that a token sees.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Which calls an order is for, counted from 1 since the order was given.
///
/// As text: `*` for every one, `3` for the third, `3-5` for the third to the fifth, `3-` for all
/// from the third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    first: u64,
    last: u64,
}

impl When {
    /// Every call.
    pub const EVERY: Self = Self::from(1);

    /// The nth call alone.
    pub const fn nth(n: u64) -> Self {
        Self { first: n, last: n }
    }

    /// The next `count` calls.
    pub const fn next(count: u64) -> Self {
        Self {
            first: 1,
            last: count,
        }
    }

    /// All calls from the nth.
    pub const fn from(n: u64) -> Self {
        Self {
            first: n,
            last: u64::MAX,
        }
    }

    /// The calls of a range.
    pub const fn range(calls: RangeInclusive<u64>) -> Self {
        Self {
            first: *calls.start(),
            last: *calls.end(),
        }
    }
}

impl FromStr for When {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n > 0).ok_or(());
        let when = match text.split_once('-') {
            _ if text == "*" => Self::EVERY,
            None => Self::nth(number(text)?),
            Some((first, "")) => Self::from(number(first)?),
            Some((first, last)) => Self::range(number(first)?..=number(last)?),
        };
        match when.first <= when.last {
            true => Ok(when),
            false => Err(()),
        }
    }
}

impl Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (1, u64::MAX) => write!(f, "*"),
            (first, u64::MAX) => write!(f, "{first}-"),
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// One effect and the calls that it is for.
#[derive(Clone, Debug)]
pub(crate) struct Rule<T> {
    when: When,
    seen: u64,
    effect: T,
}

impl<T: Copy> Rule<T> {
    pub(crate) fn new(when: When, effect: T) -> Self {
        Self {
            when,
            seen: 0,
            effect,
        }
    }

    /// The effect at the next call, if there is one.
    pub(crate) fn ahead(&self) -> Option<T> {
        (self.when.first..=self.when.last)
            .contains(&(self.seen + 1))
            .then_some(self.effect)
    }

    /// The effect at a call, which is counted.
    pub(crate) fn meet(&mut self) -> Option<T> {
        let effect = self.ahead();
        self.seen += 1;
        effect
    }
}
