from oneshot.retrain.report import RetrainResult as RetrainResult
from oneshot.retrain.session import resume as resume
from oneshot.retrain.session import retrain as retrain
from oneshot.retrain.settings import RetrainSettings as RetrainSettings
from oneshot.retrain.weights import load_network as load_network
from oneshot.spaces.architectures import Architecture as Architecture
from oneshot.training.environment import Environment as Environment
