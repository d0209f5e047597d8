#pragma once

#include <filesystem>

#include "data/dataset.h"
#include "data/image_files.h"

namespace localbatch {

/// Images in class folders: `root`/train/<class>/<file> and `root`/val/<class>/<file>, where files
/// end in .jpeg or .jpg, in capitals or not. Classes are the folders of train in the order of the
/// bytes of their names, and so are the files of a class, so labels and order follow from the
/// folder's content. Names that begin with a dot and files with other endings are passed over.
/// ImageNet is the folder that the defaults are made for, any other one of this layout will do.
/// Throws an InputError that names the folder without classes or images, and the class of val that
/// train does not have.
Dataset read_image_folder(const std::filesystem::path& root, const FileSettings& settings);

DatasetLoader make_imagenet(Options& options);

}  // namespace localbatch
