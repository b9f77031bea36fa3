import subprocess
import sys

import pytest
import torch as imported

from nestmat.deferred import DeferredModule, no_grad, torch


def test_a_deferred_module_is_imported_when_it_is_used():
    program = (
        "import sys\nfrom nestmat.deferred import torch\nassert 'torch' not in sys.modules\n"
        "assert torch.ones(2).sum() == 2 and 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_deferred_module_has_the_attributes_of_the_module():
    assert torch.Tensor is imported.Tensor
    assert torch.nn.functional is imported.nn.functional
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = DeferredModule("json").no_such_name


def test_no_grad_switches_gradients_off_and_on_again():
    x = imported.ones(1, requires_grad=True)

    @no_grad
    def doubled(number):
        """Twice a number."""
        return 2 * number

    assert not doubled(x).requires_grad
    assert (2 * x).requires_grad
    assert doubled.__doc__ == "Twice a number."
