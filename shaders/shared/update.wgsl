// Values that all invocations of an optimizer share: learning rate, factor of the gradient, and whether to step at all.
// They are read outside of branches: llvmpipe then reads them once for all invocations.
struct Update { lr: f32, scale: f32, sound: bool }

fn update() -> Update {
    var scale = 1.0;
    if (CLIP) {
        scale = clip[1];
    }
    return Update(hyper.lr, scale, finite(guard_value[0]));
}
