"""Command lines for each family: what the pages of the families show."""

EXAMPLES = {
    "linear": [
        "linear 4 3 5", "linear 3 2 2 3 --loss cross-entropy", "linear 3 2 3 --flow momentum --damping nesterov",
    ],
    "relu": ["relu 3 4 2 --bias", "relu 2 3 3 2", "relu 2 3 2 --slope 1/10", "relu 3 4 2 --flow momentum"],
    "neuron": ["neuron 2 1 --powers 3", "neuron 2 1 --powers 1,3"],
    "product": ["product 5"],
    "nmf": ["nmf 4 2 5 --flow mirror", "nmf 4 2 5 --flow momentum --positive U,V --damping heavy-ball --tau 1/2"],
    "icnn": ["icnn 2 3 4 --bias --flow mirror", "icnn 2 3 4 --bias --flow momentum --positive U"],
    "shared": ["shared 4 3", "shared 4 3 --flow momentum --damping heavy-ball"],
    "tanh": ["tanh 2 3 2"],
    "gelu": ["gelu 2 3 2"],
    "silu": ["silu 2 3 2"],
    "glu": ["glu 2 3 2"],
    "swiglu": ["swiglu 2 3 2"],
    "conv1d": [
        "conv1d 2 3 2 --kernel 3", "conv1d 2 3 2 --kernel 3 --relu --bias",
        "conv1d 1 3 2 --kernel 2 --stride 2 --relu",
    ],
    "conv2d": ["conv2d 1 2 2 --kernel 2", "conv2d 1 2 2 --kernel 2 --relu"],
    "attention": [
        "attention 4 2", "attention 4 2 --heads 2 --tokens 2", "attention 4 2 --heads 4 --keys 2",
        "attention 4 4 --rope", "attention 4 2 --tokens 3 --causal", "attention 4 2 --tokens 2 --bias",
        "attention 4 4 --rope --flow momentum",
    ],
    "transformer": [
        "transformer 3 2 2", "transformer 3 2 4 --norm pre-layer --bias --gain --eps 1/100000",
        "transformer 3 2 4 --norm post-layer --bias --gain --eps 1/100000",
        "transformer 4 2 4 --heads 2 --keys 1 --norm pre-rms --gain --eps 1/100000 --rope --causal --swiglu",
    ],
    "residual": ["residual 3 2 --blocks 2", "residual 3 2 --blocks 2 --relu"],
    "maxpool": ["maxpool 3 2 2"],
    "avgpool": ["avgpool 3 2 2"],
    "recurrent": ["recurrent 2 3 2", "recurrent 2 3 2 --relu --steps 3"],
    "moe": ["moe 2 3 2", "moe 2 3 2 --gate topk --k 2", "moe 2 3 2 --gate sigmoid"],
    "mlp": [
        "mlp 2 4 4 3 --act gelu --bias", "mlp 2 3 3 --norm batch --bias --gain", "mlp 2 3 3 --act tanh --norm layer",
        "mlp 2 3 3 --act silu --norm rms", "mlp 2 3 3 --act silu --norm rms --eps 1/100000",
    ],
    "gru": ["gru 2 2 1", "gru 2 2 1 --bias --steps 3"],
    "lstm": ["lstm 2 2 1", "lstm 2 2 1 --bias --steps 3"],
    "ssm": ["ssm 2 3 2", "ssm 2 3 2 --dense"],
    "lora": ["lora 4 4 --rank 2", "lora 3 3 3 --rank 2 --act gelu", "lora 3 3 3 --act relu --fixed"],
    "cosine": ["cosine 3 2 2"],
    "weight_norm": ["weight_norm 3 2 2 --gain --bias", "weight_norm 3 2 2 --act tanh"],
    "factorization": [
        "factorization 4 4 --rank 2 --measurements 5", "factorization 3 3 3 --rank 2",
        "factorization 3 3 3 --rank 2 --scheme tucker", "factorization 4 4 --rank 2 --scheme shared",
    ],
    "diagonal": ["diagonal 4", "diagonal 4 --layers 3"],
}  # fmt: skip
