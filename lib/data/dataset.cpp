#include "data/dataset.h"

#include "core/error.h"
#include "data/cifar.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/markov_text.h"
#include "data/synthetic.h"
#include "data/text.h"
#include "data/token_files.h"

namespace localbatch {

namespace {

constexpr PartRow<DatasetFactory> kDatasets[] = {
    {.name = "cifar10",
     .summary = "CIFAR-10: 50000 + 10000 colour images of 32 x 32 pixels, 10 classes",
     .make = make_cifar10,
     .source = "Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html"},
    {.name = "cifar100",
     .summary = "CIFAR-100: 50000 + 10000 colour images of 32 x 32 pixels, 100 fine classes",
     .make = make_cifar100,
     .source = "Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html"},
    {.name = "mnist",
     .summary = "MNIST: 60000 + 10000 grey images of 28 x 28 pixels, 10 digits",
     .make = make_mnist,
     .source = "LeCun et al. 1998, http://yann.lecun.com/exdb/mnist"},
    {.name = "fashion_mnist",
     .summary = "Fashion-MNIST: 60000 + 10000 grey images of 28 x 28 pixels, 10 classes",
     .make = make_fashion_mnist,
     .source = "Xiao et al. 2017, https://github.com/zalandoresearch/fashion-mnist"},
    {.name = "imagenet",
     .summary = "ImageNet, or other JPEG files in class folders: train/<class>/*.JPEG and "
                "val/<class>/*.JPEG, decoded when they are needed",
     .make = make_imagenet,
     .source = "Russakovsky et al. 2015, https://www.image-net.org; crops and normalization as in "
               "torchvision's training reference"},
    {.name = "synthetic",
     .summary = "generated gratings: colour images of 32 x 32 pixels, 10 classes, no files needed",
     .make = make_synthetic,
     .source = "ours: images are computed from generator_seed and their index"},
    {.name = "text",
     .summary =
         "files of text, whose tokens are their bytes or the characters of the training text",
     .make = make_text,
     .source = "windows as in llm.c (disjoint) and nanoGPT (random), https://github.com/karpathy"},
    {.name = "tokens",
     .summary = "files of tokens, as llm.c, nanoGPT, llama2.c and Megatron-LM write them",
     .make = make_tokens,
     .source = "https://github.com/karpathy/llm.c, https://github.com/karpathy/nanoGPT, "
               "https://github.com/NVIDIA/Megatron-LM"},
    {.name = "generated_text",
     .summary = "a text by a Markov chain of known entropy rate, which no loss is below; no files "
                "needed",
     .make = make_markov_text,
     .source = "ours: the text is computed from generator_seed; entropy rate as in Cover and "
               "Thomas 2006, section 4.2"},
};

}  // namespace

std::span<const PartRow<DatasetFactory>> dataset_table() { return kDatasets; }

bool Dataset::write_validation_sample(std::size_t, const SamplePlace&) const {
  internal_error("only a data set with held-out samples is asked for them");
}

}  // namespace localbatch
