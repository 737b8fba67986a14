//! Event files for TensorBoard.

use std::time::{Duration, UNIX_EPOCH};

use shadegrad::internals::run::tensorboard;
use shadegrad::run::{EpochRow, TRAIN_ACCURACY};
use shadegrad::tasks::classify::ACCURACY;

use crate::report::row;

/// Records of the same values by TensorBoard's writer. To make them again, with `pip install tensorboard`:
///
/// ```python
/// import io
/// from tensorboard.compat.proto.event_pb2 import Event
/// from tensorboard.compat.proto.summary_pb2 import Summary
/// from tensorboard.summary.writer.record_writer import RecordWriter
/// class Kept(io.BytesIO):
///     def close(self): pass
/// def record(event):
///     to = Kept()
///     RecordWriter(to).write(event.SerializeToString())
///     return to.getvalue().hex()
/// print(record(Event(wall_time=1.5, file_version="brain.Event:2")))
/// values = [("loss/train", 0.3), ("accuracy/train", 0.75), ("loss/val", float("inf")), ("accuracy/val", 0.5),
///           ("lr", 1e-3), ("images_per_s", 1234.5),
///           ("data_wait", 0.125), ("seconds", 2.25)]
/// values = [Summary.Value(tag=tag, simple_value=value) for tag, value in values]
/// print(record(Event(wall_time=1.5, step=300, summary=Summary(value=values))))
/// from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
/// from tensorboard.compat.proto.tensor_pb2 import TensorProto
/// from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
/// shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
/// tensor = TensorProto(dtype="DT_STRING", string_val=[b"    lr = 0.1\n    epochs = 2\n"], tensor_shape=shape)
/// about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
/// value = Summary.Value(tag="settings/text_summary", tensor=tensor, metadata=about)
/// print(record(Event(wall_time=1.5, summary=Summary(value=[value]))))
/// png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\x2c\0\0\0\5"
/// image = Summary.Image(height=5, width=300, colorspace=3, encoded_image_string=png)
/// print(record(Event(wall_time=1.5, step=300, summary=Summary(value=[Summary.Value(tag="samples", image=image)]))))
/// ```
const HEADER: &str = "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c";
const EPOCH: &str = "a10000000000000002e3241b09000000000000f83f10ac022a92010a110a0a6c6f73732f747261696e15\
    9a99993e0a150a0e61636375726163792f747261696e150000403f0a0f0a086c6f73732f76616c150000807f0a130a0c61636375726163792f76\
    616c150000003f0a090a026c72156f12833a0a130a0c696d616765735f7065725f731500509a440a100a09646174615f77616974150000003e0a\
    0e0a077365636f6e64731500001040254e7697";
const SETTINGS: &str = "56000000000000004e2de2b209000000000000f83f2a4b0a490a1573657474696e67732f746578745f73756d6d6172794226\
    0807120412020801421c202020206c72203d20302e310a2020202065706f636873203d20320a4a080a060a04746578744cd6cdc0";
const PICTURE: &str = "3c00000000000000c8b7a35209000000000000f83f10ac022a2e0a2c0a0773616d706c65732221080510ac021803221889504e47\
    0d0a1a0a0000000d494844520000012c00000005b8467636";

#[test]
fn events_are_written_as_tensorboard_writes_them() {
    let at = UNIX_EPOCH + Duration::from_millis(1500);
    let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(hex(tensorboard::header(at)), HEADER);
    let row = EpochRow { val_loss: f64::INFINITY, ..row(300, &[(TRAIN_ACCURACY, 0.75), (ACCURACY, 0.5)]) };
    assert_eq!(hex(tensorboard::epoch(&row, at)), EPOCH);
    assert_eq!(hex(tensorboard::settings("lr = 0.1\nepochs = 2\n", at)), SETTINGS);
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x2c\0\0\0\x05";
    assert_eq!(hex(tensorboard::picture("samples", png, 300, at).expect("a picture")), PICTURE);
    assert_eq!(tensorboard::picture("samples", b"GIF89a", 300, at), None);
    // A resumed run keeps the settings of its event file. Its pictures are cut: the run writes new ones.
    let [head, one, picture] = [
        tensorboard::settings("", at),
        tensorboard::epoch(&row, at),
        tensorboard::picture("a", png, 2, at).expect("one"),
    ];
    let file = [&head[..], &one, &picture, &one].concat();
    assert_eq!(tensorboard::length_before(&file, 301), head.len() + one.len());
    assert_eq!(tensorboard::length_before(&file, 300), head.len());
}
