"""A model as others made it: what its configuration and its tokenizer have to be, told before a weight is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from blur.core.errors import ArtifactError, ConfigError, did_you_mean, one_line
from blur.core.files import read_json
from blur.core.remedy import to_mend
from blur.models.turn import end_token

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from blur.models.template import Template

CONFIG = "config.json"
ADAPTER = "adapter_config.json"


def place_of(name: str) -> str:
    """Return how an error names a model: its folder, or its name on the hub."""
    return name if Path(name).is_dir() else f"model {name!r}"


def _config_place(name: str) -> str:
    return str(Path(name) / CONFIG) if Path(name).is_dir() else place_of(name)


def config_fields(folder: Path) -> dict[str, Any]:
    """Read a folder's ``config.json``, without torch.

    Raises:
        ArtifactError: the folder is an adapter's, or the file is missing or no JSON mapping with a ``model_type``.
    """
    if (folder / ADAPTER).is_file():
        raise adapter_error(str(folder))
    file = folder / CONFIG
    if not file.is_file():
        raise ArtifactError(f"no {CONFIG}, so this is no model directory", str(folder), to_mend(folder))
    try:
        fields = read_json(file)
    except (ValueError, OSError, RecursionError) as error:
        raise ArtifactError(f"no JSON ({error})", str(file), to_mend(folder)) from error
    if not isinstance(fields, dict) or not isinstance(fields.get("model_type"), str):
        raise ArtifactError("it names no `model_type`", str(file), to_mend(folder))
    return fields


def read_config(name: str, **where: Any) -> PretrainedConfig:
    """Read the configuration of a model in a folder or on the hub.

    Raises:
        ArtifactError, ConfigError: it is no causal LM that transformers itself knows, in plain weights, or belongs to
            other weights.
        OSError: the hub has no such model, or is out of reach.
    """
    from transformers import AutoConfig, PretrainedConfig

    folder = Path(name)
    fields = config_fields(folder) if folder.is_dir() else PretrainedConfig.get_config_dict(name, **where)[0]
    place = _config_place(name)
    require_model_type(str(fields.get("model_type")), f"{place}: model_type", own_code="auto_map" in fields)
    if fields.get("quantization_config"):
        remedy = "Give the model in float32, bfloat16 or float16: what is quantized cannot be trained"
        raise ConfigError("the weights are quantized", f"{place}: quantization_config", remedy)
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(name, trust_remote_code=False, **where)
    except OSError:
        raise
    except Exception as error:  # each type of model checks its fields in its own way
        raise unfit_fields(str(fields["model_type"]), error, place) from error
    require_causal(config, place)
    return config


def require_model_type(model_type: str, where: str, own_code: bool = False) -> None:
    """Refuse a type that is no causal LM of transformers.

    Args:
        own_code: whether the model brings code of its own.

    Raises:
        ConfigError: names the nearest known type.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    if model_type not in CONFIG_MAPPING:
        remedy = did_you_mean(model_type, CAUSAL, "Name one that transformers has")
        if own_code:
            remedy = "Its own code (`auto_map`) is not run: give a model that transformers knows"
        raise ConfigError(f"transformers knows no model type {model_type!r}", where, remedy)
    if model_type not in CAUSAL:
        raise ConfigError(f"{model_type!r} is no causal language model", where, "Give a decoder-only model")


def unfit_fields(model_type: str, error: Exception, place: str) -> ConfigError:
    """Return the refusal of a configuration that a type of model does not take."""
    return ConfigError(f"its fields make no {model_type} ({one_line(error)})", place, "Mend them")


def require_causal(config: PretrainedConfig, place: str) -> None:
    """Refuse encoder-decoders, and weights that were made by another class than the one that would read them."""
    import transformers
    from transformers.models.auto import modeling_auto as auto

    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        where = f"{place}: is_encoder_decoder"
        raise ConfigError(f"{kind!r} is an encoder-decoder", where, "Give a decoder-only model")
    readers: set[str] = set()
    for table in (auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_MAPPING_NAMES):
        named = table.get(kind, ())
        readers |= {named} if isinstance(named, str) else set(named)
    makers = [name for name in config.architectures or () if hasattr(transformers, name)]
    if makers and readers.isdisjoint(makers):
        what = f"the weights are those of {makers[0]}, which a causal language model of type {kind!r} is not"
        raise ConfigError(what, f"{place}: architectures", "Give a decoder-only model with its own configuration")


def read_tokenizer(name: str, **where: Any) -> PreTrainedTokenizerBase:
    """Read the tokenizer of a model in a folder or on the hub.

    Raises:
        ArtifactError: there is none, or its files are spoilt. (transformers makes one of special tokens instead.)
        OSError: the hub has no such model, or is out of reach.
    """
    from transformers import AutoTokenizer

    folder = Path(name)
    remedy = to_mend(folder) if folder.is_dir() else "Name a model with a tokenizer, or give `tokenizer`"
    try:
        found: Any = AutoTokenizer.from_pretrained(name, trust_remote_code=False, **where)
    except OSError:
        raise
    except Exception as error:  # the tokenizers' library raises no type of its own
        raise ArtifactError(f"no tokenizer can be read ({one_line(error)})", place_of(name), remedy) from error
    if set(found.get_vocab().values()) <= set(found.all_special_ids):
        raise ArtifactError("no tokenizer files", place_of(name), remedy)
    return cast("PreTrainedTokenizerBase", found)


def require_room(embeddings: int, tokenizer: PreTrainedTokenizerBase, template: Template, place: str) -> None:
    """Refuse a tokenizer whose tokens the model has no embedding of.

    Added tokens that nobody writes may lie beyond (Gemma 3's for images), but not those that begin or end a text.

    Args:
        embeddings: how many the model has.
    """
    added = set(tokenizer.added_tokens_decoder)
    written = {tokenizer.bos_token_id, tokenizer.eos_token_id, end_token(template, tokenizer)}
    beyond = {id: token for token, id in tokenizer.get_vocab().items() if id >= embeddings}
    for id, token in sorted(beyond.items()):
        if id in written or id not in added:
            what = f"the tokenizer's token {token!r} has the id {id}, and the model has {embeddings} embeddings"
            raise ArtifactError(what, place, "Give the model its own tokenizer")


def positions(config: PretrainedConfig) -> int | None:
    """Return how many tokens a model has positions for; None where its configuration sets no limit."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def require_length(config: PretrainedConfig, max_length: int, name: str) -> None:
    """Refuse texts longer than the model's positions.

    Raises:
        ConfigError: names both numbers.
    """
    limit = positions(config)
    if limit is not None and max_length > limit:
        what = f"`max_length` {max_length} exceeds the {limit} positions of the model"
        where, remedy = f"{_config_place(name)}: max_position_embeddings", f"Set `max_length` to {limit} at most"
        raise ConfigError(what, where, remedy)


def adapter_error(place: str) -> ArtifactError:
    """Return the refusal of an adapter that is given as a model."""
    remedy = "Merge it into its base (peft: `merge_and_unload`), save that, and give its folder"
    return ArtifactError("an adapter, not a model", place, remedy)
