import pickle
from dataclasses import replace

from oneshot.retrain.objective import TrainedAccuracy, accuracy
from oneshot.retrain.session import retrain
from oneshot.retrain.settings import RetrainSettings

CELL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
TINY = RetrainSettings(split="half", channels=2, epochs=1, batch=128)


def test_it_is_the_accuracy_of_the_existing_training():
    result = retrain(CELL, TINY)
    assert TrainedAccuracy(TINY)(CELL) == result.top1 == result.to_json()["result"]["top1"]


def test_the_cell_and_the_seed_decide():
    objective = TrainedAccuracy(TINY)
    assert objective(CELL) == pickle.loads(pickle.dumps(objective))(CELL)
    others = {TrainedAccuracy(replace(TINY, seed=seed))(CELL) for seed in range(3)}
    assert len(others) > 1


def test_epochs_are_a_fidelity():
    objective = TrainedAccuracy(TINY)
    assert objective(CELL, 3) == TrainedAccuracy(replace(TINY, epochs=3))(CELL) != objective(CELL)


def test_other_spaces_can_be_trained_too():
    assert 0 <= TrainedAccuracy(replace(TINY, auxiliary_weight=0.0))("GDAS_V1") <= 100


def test_the_default_learns_the_digits_and_leaves_the_test_images_alone():
    assert accuracy.settings.split == "half"
    assert accuracy(CELL) > 80
