//! The beginning of a run: its parts, checked against each other before anything is written.

use std::sync::Arc;

use super::TrainError;
use super::agree::agree;
use super::changed::{self, Resumption};
use super::layers::Layers;
use super::loaders::Loaders;
use super::model::LoadedModel;
use super::objective::Objective;
use super::plans::load_plans;
use super::rates::Rates;
use super::record::{HeldRun, Record};
use super::settings::{Setting, TrainSettings};
use super::shared_work::SharedWork;
use super::trace::Tracer;
use super::trainer::Trainer;
use crate::data::{Decisions, Source};
use crate::ranks::Ranks;
use crate::run::FolderLock;
use crate::run::fingerprint::DataPrint;
use crate::run::resume::{Kept, Origin, Position};

/// The parts of a run before its plans are made.
pub(super) struct Beginning {
    pub objective: Box<dyn Objective>,
    pub settings: TrainSettings,
    /// The declarations of the task's settings.
    pub declared: &'static [Setting],
    pub model: LoadedModel,
    /// Training and validation images.
    pub sources: [Arc<dyn Source>; 2],
    /// How the data set was read.
    pub decisions: Decisions,
    /// The settings as the run's `config.toml`.
    pub toml: String,
    /// Position of a resumed run.
    pub resumed: Option<Kept>,
    /// The processes that train it.
    pub ranks: Arc<dyn Ranks>,
}

impl Beginning {
    /// Prepares a run. It makes the plans before anything is written, so that a device without room for them is refused first.
    ///
    /// # Errors
    /// When the device cannot hold the plans, the run folder cannot be made, or the resumed run has another model.
    pub fn prepare(
        self,
        make_run: impl FnOnce(&TrainSettings, &str) -> Result<HeldRun, TrainError>,
    ) -> Result<Trainer, TrainError> {
        let Beginning { objective, settings, declared, mut model, sources, decisions, toml, resumed, ranks } = self;
        let lens = sources.each_ref().map(|source| source.len());
        let parts = sources.each_ref().map(|source| &**source);
        let data = DataPrint::of(&objective.card().classes, parts, settings.data.as_deref());
        let mut work = SharedWork::of(&settings, &*objective, ranks);
        let without_last = load_plans(&mut model, &*objective, (&settings, work.sharded()), lens)?;
        let mut loaders = Loaders::new(sources, &settings, &objective.card().classes, without_last)?;
        let order = loaders.order(&settings);
        let steps_per_epoch = loaders.batches().div_ceil(settings.accumulate);
        let (network, states) = (&objective.card().network, model.session.states());
        let rates = Rates::of(&settings, network, states, steps_per_epoch)?;
        let toml = rates.noted(toml);
        // This comes before any write, so that a refused run does not change.
        let (mut notes, repairs) = match &resumed {
            Some(kept) => {
                let now =
                    Resumption { settings: &settings, declared, toml: &toml, data: &data, order, steps_per_epoch };
                changed::examine(kept, &mut model, &*objective, &now)?
            }
            None => Default::default(),
        };
        agree(work.ranks(), (&toml, declared), &data)?;
        let shares = work.divide(&settings, (&mut model, &*objective), &mut loaders)?;
        let held = make_run(&settings, &toml)?;
        let (decisions, doubts) = with_doubts(decisions.summary(), &data);
        notes.extend(doubts);
        notes.extend(shares);
        notes.extend(held.1.iter().filter_map(FolderLock::note));
        let origin = Origin { data: Some(data), settings: Some(toml), epochs: None };
        let mut trainer = Trainer {
            objective,
            model,
            loaders,
            record: Record::new(held, origin, decisions, settings.lr),
            position: Position { epoch: 1, order: Some(order), ..Position::default() },
            notes,
            rates,
            work,
            tracer: Tracer::new(settings.profile),
            layers: Layers::default(),
            settings,
        };
        trainer.begin(resumed, repairs)?;
        Ok(trainer)
    }
}

/// Decisions with the doubts about the pixels of the data, and a line for each doubt.
fn with_doubts(mut decisions: Decisions, data: &DataPrint) -> (Decisions, Vec<String>) {
    let doubts = [data.shared_images(), data.contradictions()].into_iter().flatten();
    decisions.notes.extend(doubts.clone());
    (decisions, doubts.map(|note| format!("note:    {note}")).collect())
}
