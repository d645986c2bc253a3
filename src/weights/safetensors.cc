#include "weights/safetensors.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "base/mmap.h"

namespace mlc::weights {
namespace {

constexpr uint64_t kMaxHeader = 100 * 1000 * 1000;  // the format's own limit

struct NamedType {
  const char* name;
  DType dtype;
};
constexpr NamedType kTypes[] = {
    {"F32", DType::f32()},      {"F16", DType::f16()}, {"BF16", DType::bf16()}, {"F64", DType::f64()},
    {"I8", DType::i8()},        {"I16", DType::i16()}, {"I32", DType::i32()},   {"I64", DType::i64()},
    {"U8", DType::u8()},        {"U16", DType::u16()}, {"U32", DType::u32()},   {"U64", DType::u64()},
    {"BOOL", DType::boolean()},
};

struct Placed {
  TensorInfo info;
  uint64_t begin = 0;
  uint64_t end = 0;
};

template <typename... Args>
Error corrupt(const std::string& path, fmt::format_string<Args...> f, Args&&... args) {
  return error(ErrorCode::kCorrupt, "{}: {}", path, fmt::format(f, std::forward<Args>(args)...));
}

Result<Json> parse_header(const std::string& path, std::string_view text) {
  // nlohmann keeps the last of equal keys; a header with two tensors of one name must not pass.
  std::set<std::string> names;
  std::string twice;
  try {
    Json header = Json::parse(text, [&](int depth, Json::parse_event_t event, Json& value) {
      if (event == Json::parse_event_t::key && depth == 1 && !names.insert(value.get<std::string>()).second) {
        twice = value.get<std::string>();
      }
      return true;
    });
    if (!twice.empty()) return corrupt(path, "the header names the tensor \"{}\" twice", twice);
    if (!header.is_object()) return corrupt(path, "the header is not a JSON object");
    return header;
  } catch (const Json::exception&) {
    return corrupt(path, "the header is not valid JSON; this is not a safetensors file, or it is damaged");
  }
}

Result<Placed> parse_entry(const std::string& path, const std::string& name, const Json& entry, uint64_t data_size) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets") ||
      !entry["dtype"].is_string() || !entry["shape"].is_array() || !entry["data_offsets"].is_array()) {
    return corrupt(path, "the header's entry for \"{}\" has no dtype, shape and data_offsets", name);
  }
  Placed t;
  t.info.name = name;
  const auto type = entry["dtype"].get<std::string>();
  const auto* known = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& k) { return type == k.name; });
  if (known == std::end(kTypes)) {
    return error(ErrorCode::kUnsupported,
                 "{}: the tensor \"{}\" has the dtype {}; supported are F32, F16, BF16, F64 and the integer types",
                 path, name, type);
  }
  t.info.dtype = known->dtype;
  for (const Json& d : entry["shape"]) {
    if (!d.is_number_unsigned() || d.get<uint64_t>() > INT64_MAX) {
      return corrupt(path, "the tensor \"{}\" has the shape {}", name, entry["shape"].dump());
    }
    t.info.shape.push_back(d.get<int64_t>());
  }
  const Json& offsets = entry["data_offsets"];
  if (offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned()) {
    return corrupt(path, "the tensor \"{}\" has the data_offsets {}", name, offsets.dump());
  }
  t.begin = offsets[0].get<uint64_t>();
  t.end = offsets[1].get<uint64_t>();
  const int64_t elements = checked_elements(t.info.shape);
  if (elements < 0) return corrupt(path, "the tensor \"{}\" has the impossible shape {}", name, entry["shape"].dump());
  if (t.begin > t.end || t.end - t.begin != static_cast<uint64_t>(t.info.bytes())) {
    return corrupt(path, "the tensor \"{}\" is {} of {} bytes, but its data_offsets are {}", name, t.info.str(),
                   t.info.bytes(), offsets.dump());
  }
  if (t.end > data_size) {
    return corrupt(path, "the file is truncated: the tensor \"{}\" ends at byte {} of the data, which has {}", name,
                   t.end, data_size);
  }
  return t;
}

Result<void> check_layout(const std::string& path, std::vector<Placed>& tensors, uint64_t data_size) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const Placed& a, const Placed& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t at = 0;
  const std::string* previous = nullptr;
  for (const Placed& t : tensors) {
    if (t.begin < at) return corrupt(path, "the tensors \"{}\" and \"{}\" overlap", *previous, t.info.name);
    if (t.begin > at)
      return corrupt(path, "there is a gap of {} bytes before the tensor \"{}\"", t.begin - at, t.info.name);
    at = t.end;
    previous = &t.info.name;
  }
  if (at != data_size) return corrupt(path, "{} bytes follow the last tensor", data_size - at);
  return {};
}

class SafetensorsFile : public TensorSource {
 public:
  static Result<std::unique_ptr<SafetensorsFile>> open(const std::string& path) {
    MLC_TRY(std::shared_ptr<MappedFile> file, MappedFile::open(path));
    const auto bytes = file->bytes();
    if (bytes.size() < 8) return corrupt(path, "{} bytes are too few for a safetensors file", bytes.size());
    uint64_t header_size = 0;
    std::memcpy(&header_size, bytes.data(), 8);
    if (header_size > kMaxHeader) {
      return corrupt(path, "the header would have {} bytes (at most {}); this is not a safetensors file", header_size,
                     kMaxHeader);
    }
    if (header_size > bytes.size() - 8) {
      return corrupt(path, "the file is truncated: the header has {} bytes, the file {}", header_size, bytes.size());
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, header_size);
    MLC_TRY(Json header, parse_header(path, text));
    auto source = std::unique_ptr<SafetensorsFile>(new SafetensorsFile(path, file, 8 + header_size));
    MLC_TRY_VOID(source->load(header, bytes.size() - 8 - header_size));
    return source;
  }

 private:
  SafetensorsFile(const std::string& path, std::shared_ptr<MappedFile> file, uint64_t data)
      : TensorSource(path), file_(std::move(file)), data_(data) {}

  Result<void> load(const Json& header, uint64_t data_size) {
    std::vector<Placed> placed;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      MLC_TRY(Placed t, parse_entry(where(), name, entry, data_size));
      placed.push_back(std::move(t));
    }
    MLC_TRY_VOID(check_layout(where(), placed, data_size));
    for (Placed& t : placed) {
      offsets_.push_back(data_ + t.begin);
      const bool added = add(std::move(t.info));
      MLC_CHECK(added, "header keys are unique");
    }
    if (header.contains("__metadata__") && header["__metadata__"].is_object()) {
      for (const auto& [alias, stored] : header["__metadata__"].items()) {
        if (stored.is_string() && find(alias) == nullptr && find(stored.get<std::string>()) != nullptr) {
          add_alias(alias, stored.get<std::string>());
        }
      }
    }
    return {};
  }

  Result<TensorData> read_at(size_t i) const override {
    const TensorInfo& info = tensors()[i];
    return TensorData{info, file_->bytes().subspan(offsets_[i], static_cast<size_t>(info.bytes())), file_};
  }
  void release_at(size_t i) const override {
    file_->advise(Advice::kDontNeed, offsets_[i], static_cast<size_t>(tensors()[i].bytes()));
  }

  std::shared_ptr<MappedFile> file_;
  uint64_t data_;
  std::vector<uint64_t> offsets_;
};

// Several files behind one list of names.
class ShardedSafetensors : public TensorSource {
 public:
  static Result<std::unique_ptr<TensorSource>> open(const std::string& dir, const std::string& index_path) {
    MLC_TRY(Json index, read_json_file(index_path));
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
      return corrupt(index_path, "there is no \"weight_map\"");
    }
    auto source = std::unique_ptr<ShardedSafetensors>(new ShardedSafetensors(dir));
    std::map<std::string, size_t> file_index;
    for (const auto& [name, file] : index["weight_map"].items()) {
      if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos) {
        return corrupt(index_path, "the tensor \"{}\" is mapped to {}; expected a file name", name, file.dump());
      }
      const auto file_name = file.get<std::string>();
      auto [it, fresh] = file_index.emplace(file_name, source->files_.size());
      if (fresh) {
        const std::string path = join_path(dir, file_name);
        if (!path_exists(path)) {
          return error(ErrorCode::kNotFound, "{}: the shard named in {} is missing", path, index_path);
        }
        MLC_TRY(std::unique_ptr<SafetensorsFile> opened, SafetensorsFile::open(path));
        source->files_.push_back(std::move(opened));
      }
      const TensorInfo* info = source->files_[it->second]->find(name);
      if (info == nullptr) return corrupt(index_path, "the tensor \"{}\" is not in {}", name, file_name);
      source->file_of_.push_back(it->second);
      const bool added = source->add({name, info->dtype, info->shape});
      MLC_CHECK(added, "JSON keys are unique");
    }
    for (const auto& file : source->files_) {
      for (const auto& [alias, stored] : file->aliases()) {
        if (source->find(alias) == nullptr) source->add_alias(alias, stored);
      }
    }
    return std::unique_ptr<TensorSource>(std::move(source));
  }

 private:
  explicit ShardedSafetensors(const std::string& dir) : TensorSource(dir) {}
  Result<TensorData> read_at(size_t i) const override { return files_[file_of_[i]]->read(tensors()[i].name); }
  void release_at(size_t i) const override { files_[file_of_[i]]->release(tensors()[i].name); }

  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::vector<size_t> file_of_;
};

}  // namespace

Result<std::unique_ptr<TensorSource>> open_safetensors(const std::string& path) {
  MLC_TRY(std::unique_ptr<SafetensorsFile> file, SafetensorsFile::open(path));
  return std::unique_ptr<TensorSource>(std::move(file));
}

Result<std::unique_ptr<TensorSource>> open_safetensors_dir(const std::string& dir) {
  const std::string index = join_path(dir, "model.safetensors.index.json");
  if (path_exists(index)) return ShardedSafetensors::open(dir, index);
  const std::string single = join_path(dir, "model.safetensors");
  if (path_exists(single)) return open_safetensors(single);
  if (!is_directory(dir)) return error(ErrorCode::kNotFound, "{}: no such directory", dir);
  std::vector<std::string> found;
  bool pickled = false;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(dir, ec)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".safetensors") found.push_back(entry.path().string());
    if (extension == ".bin" || extension == ".pt" || extension == ".pth") pickled = true;
  }
  if (found.size() == 1) return open_safetensors(found[0]);
  if (found.size() > 1) {
    return error(ErrorCode::kNotFound,
                 "{}: {} .safetensors files, but no model.safetensors.index.json that says what is "
                 "where",
                 dir, found.size());
  }
  return error(ErrorCode::kNotFound, "{}: no weights: expected model.safetensors or model.safetensors.index.json{}",
               dir, pickled ? "; PyTorch checkpoints (.bin, .pt) must be saved as safetensors first" : "");
}

Result<SafetensorsWriter> SafetensorsWriter::create(const std::string& path, std::vector<TensorInfo> infos,
                                                    const std::map<std::string, std::string>& metadata) {
  OrderedJson header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t at = 0;
  for (const TensorInfo& info : infos) {
    const auto* type =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& k) { return info.dtype == k.dtype; });
    MLC_CHECK(type != std::end(kTypes), "{} has no safetensors dtype", info.str());
    MLC_CHECK(!header.contains(info.name), "the tensor {} twice", info.name);
    header[info.name] = {{"dtype", type->name}, {"shape", info.shape}, {"data_offsets", {at, at + info.bytes()}}};
    at += info.bytes();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  MLC_TRY(FileWriter file, FileWriter::create(path + ".partial"));
  const uint64_t size = text.size();
  MLC_TRY_VOID(file.write(std::as_bytes(std::span(&size, 1))));
  MLC_TRY_VOID(file.write(text));
  return SafetensorsWriter(std::move(file), path, std::move(infos));
}

Result<void> SafetensorsWriter::add(std::span<const std::byte> bytes) {
  MLC_CHECK(next_ < infos_.size() && static_cast<int64_t>(bytes.size()) == infos_[next_].bytes(),
            "tensor {} of {}: {} bytes", next_, infos_.size(), bytes.size());
  ++next_;
  return file_.write(bytes);
}

Result<void> SafetensorsWriter::finish() {
  MLC_CHECK(next_ == infos_.size(), "{} of {} tensors written", next_, infos_.size());
  MLC_TRY_VOID(file_.close());
  if (auto renamed = rename_path(file_.path(), path_); !renamed) {
    (void)remove_all(file_.path());
    return renamed;
  }
  return {};
}

Result<void> write_safetensors(const std::string& path, const TensorSource& source) {
  std::map<std::string, std::string> metadata = source.aliases();
  metadata["format"] = "pt";
  MLC_TRY(SafetensorsWriter writer, SafetensorsWriter::create(path, source.tensors(), metadata));
  for (const TensorInfo& info : source.tensors()) {
    MLC_TRY(TensorData data, source.read(info.name));
    MLC_TRY_VOID(writer.add(data.bytes));
    source.release(info.name);
  }
  return writer.finish();
}

}  // namespace mlc::weights
