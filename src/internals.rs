//! The inside of the crate, for its own tests, benches and macros. Names, types and behavior change without notice: nothing here
//! belongs to the public interface.

pub mod exec {
    pub mod accuracy {
        pub use crate::exec::accuracy::*;
    }
    pub mod shader {
        pub use crate::exec::gpu::Shaders;
        pub use crate::exec::shader::*;
    }
}

pub mod interop {
    pub mod files {
        pub use crate::interop::files::*;
    }
}

pub mod kernel {
    pub use crate::kernel::conv::*;
    pub use crate::kernel::norm::*;
    pub use crate::kernel::pool::*;
}

pub mod label {
    pub use crate::label::*;
}

pub mod ops {
    pub use crate::ops::nodes::*;
}

pub mod random {
    pub use crate::random::*;
}

pub mod setting {
    pub use crate::setting::*;
}

#[cfg(feature = "tasks")]
pub mod run {
    pub mod pictures {
        pub use crate::run::pictures::*;
    }
    pub mod tensorboard {
        pub use crate::run::tensorboard::*;
    }
    pub mod trust {
        pub use crate::run::trust::*;
    }
}

#[cfg(feature = "tasks")]
pub mod tasks {
    pub mod classify {
        pub mod graphs {
            pub use crate::tasks::classify::graphs::*;
        }
    }
    pub mod data {
        pub use crate::tasks::data::kept_copies;
    }
    pub mod segment {
        pub mod boundary {
            pub use crate::tasks::segment::boundary::*;
        }
    }
    pub mod multilabel {
        pub mod metrics {
            pub use crate::tasks::multilabel::metrics::*;
        }
    }
}

#[cfg(feature = "tasks")]
pub mod train {
    pub mod half {
        pub use crate::train::half::*;
    }
    pub mod model {
        pub use crate::train::model::*;
    }
    pub mod stages {
        pub use crate::train::stages::*;
    }
    pub mod step_spec {
        pub use crate::train::step_spec::*;
    }
}

#[cfg(feature = "tasks")]
pub mod workflows {
    pub mod doctor {
        pub use crate::workflows::doctor::*;
    }
}

#[cfg(feature = "cli")]
pub mod cli {
    pub mod flags {
        pub use crate::cli::flags::*;
    }
}
