// Values of an optimizer step for vector i of the parameters: learning rate, Adam's bias corrections, factor of the gradient, and
// whether to step at all. Values that all invocations share are read outside of branches: llvmpipe then reads them once.
// With SPANS > 0, a row of `rates` holds these values for a span of parameters (`SpanRate` in src/hyper.rs): end of the span in
// blocks of BLOCK4 vectors, rate, corrections. A first correction of 0 skips the span.
struct Update { lr: f32, first_correction: f32, second_correction: f32, scale: f32, sound: bool }

fn update(i: u32) -> Update {
    var scale = 1.0;
    if (CLIP) {
        scale = clip[1];
    }
    var own = Update(hyper.lr, hyper.first_correction, hyper.second_correction, scale, finite(guard_value[0]));
    if (SPANS > 0u) {
        var span = 0u;
        while (span + 1u < SPANS && i / BLOCK4 >= u32(rates[span].x)) {
            span += 1u;
        }
        let row = rates[span];
        own.lr = row.y;
        own.first_correction = row.z;
        own.second_correction = row.w;
        own.sound = own.sound && row.z != 0.0;
    }
    return own;
}
