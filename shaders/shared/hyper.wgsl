// Values that change from step to step: the fields of `Hyper` in src/hyper.rs, in the same order.
struct Hyper {
    lr: f32,
    first_correction: f32,
    second_correction: f32,
    average_decay: f32,
    keep: f32,
    unused_0: f32,
    unused_1: f32,
    unused_2: f32,
}
