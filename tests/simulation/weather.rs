//! What a link does to a request: a draw for each request, from a mixture that each world draws for itself.

use crate::dice::Dice;

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes through, in pieces.
    Clean,
    /// A proxy takes it in whole before the server sees a byte.
    Buffered,
    /// There is no network.
    NoNetwork,
    /// It never arrives, and the device waits in vain.
    Lost,
    /// The connection breaks somewhere in its body.
    Cut,
    /// The server takes it in; the answer is lost.
    AnswerLost,
    /// The connection breaks somewhere in the answer.
    AnswerCut,
    /// The device gives up; the request arrives later, after others.
    Late,
    /// A proxy delivers it twice.
    Twice,
    /// A proxy answers with the answer before this one.
    Stale,
    /// The log-in page of a network answers.
    Portal,
    /// A proxy answers that nobody is behind it.
    BadGateway,
}

impl Fate {
    /// Every fate that is a fault.
    pub const FAULTS: [Self; 11] = [
        Self::Buffered,
        Self::NoNetwork,
        Self::Lost,
        Self::Cut,
        Self::AnswerLost,
        Self::AnswerCut,
        Self::Late,
        Self::Twice,
        Self::Stale,
        Self::Portal,
        Self::BadGateway,
    ];

    /// What the tally calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "link: clean",
            Self::Buffered => "link: request held back whole by a proxy",
            Self::NoNetwork => "link: no network",
            Self::Lost => "link: request lost",
            Self::Cut => "link: request cut",
            Self::AnswerLost => "link: answer lost",
            Self::AnswerCut => "link: answer cut",
            Self::Late => "link: request delivered late",
            Self::Twice => "link: request delivered twice",
            Self::Stale => "link: an older answer",
            Self::Portal => "link: a log-in page answers",
            Self::BadGateway => "link: a gateway answers",
        }
    }
}

/// How often each fault comes in a world, in a thousand requests.
#[derive(Debug, Clone, Default)]
pub struct Weather(Vec<(Fate, u64)>);

/// Times in a thousand that a fault of a world may come.
const OFTEN: [u64; 4] = [5, 20, 60, 150];

impl Weather {
    /// Nothing ever goes wrong.
    #[must_use]
    pub fn calm() -> Self {
        Self::default()
    }

    /// The mixture of one world: about half of the faults, each with its own frequency.
    pub fn draw(dice: &mut Dice) -> Self {
        let mut mixture = Vec::new();
        for fault in Fate::FAULTS {
            if dice.per_mille(500) {
                mixture.push((fault, *dice.pick(&OFTEN)));
            }
        }
        Self(mixture)
    }

    /// The fate of one request.
    pub fn fate(&self, dice: &mut Dice) -> Fate {
        let hit = self.0.iter().find(|(_, often)| dice.per_mille(*often));
        hit.map_or(Fate::Clean, |(fault, _)| *fault)
    }
}
