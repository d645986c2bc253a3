#include "weights/mlc_shards.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "base/json.h"
#include "base/mmap.h"

namespace mlc::weights {
namespace {

struct NamedType {
  const char* name;
  DType dtype;
};
constexpr NamedType kTypes[] = {
    {"float16", DType::f16()}, {"bfloat16", DType::bf16()}, {"float32", DType::f32()}, {"float64", DType::f64()},
    {"uint32", DType::u32()},  {"int32", DType::i32()},     {"int64", DType::i64()},   {"uint64", DType::u64()},
    {"uint16", DType::u16()},  {"int16", DType::i16()},     {"int8", DType::i8()},     {"uint8", DType::u8()},
};

template <typename... Args>
Error corrupt(const std::string& path, fmt::format_string<Args...> f, Args&&... args) {
  return error(ErrorCode::kCorrupt, "{}: {}", path, fmt::format(f, std::forward<Args>(args)...));
}

bool has(const Json& j, const char* key, bool (Json::*is)() const noexcept) {
  return j.is_object() && j.contains(key) && (j[key].*is)();
}

class MlcShards : public TensorSource {
 public:
  explicit MlcShards(const std::string& dir) : TensorSource(dir) {}

  Result<void> load(const std::string& index_path, MlcReadOptions options) {
    MLC_TRY(Json index, read_json_file(index_path));
    if (!has(index, "records", &Json::is_array)) return corrupt(index_path, "there is no \"records\" list");
    for (const Json& shard : index["records"]) MLC_TRY_VOID(load_shard(index_path, shard, options));
    return {};
  }

 private:
  struct Place {
    size_t file = 0;
    uint64_t offset = 0;
    uint64_t bytes = 0;
    bool bf16_inside = false;
  };

  Result<void> load_shard(const std::string& index_path, const Json& shard, MlcReadOptions options) {
    if (!has(shard, "dataPath", &Json::is_string) || !has(shard, "nbytes", &Json::is_number_unsigned) ||
        !has(shard, "records", &Json::is_array)) {
      return corrupt(index_path, "a shard has no dataPath, nbytes and records");
    }
    const auto name = shard["dataPath"].get<std::string>();
    if (name.find('/') != std::string::npos) return corrupt(index_path, "the dataPath \"{}\" is no file name", name);
    const std::string path = join_path(where(), name);
    if (!path_exists(path)) {
      return error(ErrorCode::kNotFound, "{}: the shard named in {} is missing", path, index_path);
    }
    MLC_TRY(std::shared_ptr<MappedFile> file, MappedFile::open(path));
    if (file->size() != shard["nbytes"].get<uint64_t>()) {
      return corrupt(path, "the shard has {} bytes; {} says {}", file->size(), index_path, shard["nbytes"].dump());
    }
    if (options.verify_md5 && has(shard, "md5sum", &Json::is_string)) {
      const std::string found = md5_hex(file->bytes());
      if (found != shard["md5sum"].get<std::string>()) {
        return corrupt(path, "the md5 sum is {}; {} says {}", found, index_path, shard["md5sum"].get<std::string>());
      }
    }
    for (const Json& record : shard["records"]) MLC_TRY_VOID(load_record(index_path, record, *file));
    files_.push_back(std::move(file));
    return {};
  }

  Result<void> load_record(const std::string& index_path, const Json& record, const MappedFile& file) {
    if (!has(record, "name", &Json::is_string) || !has(record, "dtype", &Json::is_string) ||
        !has(record, "shape", &Json::is_array) || !has(record, "nbytes", &Json::is_number_unsigned) ||
        !has(record, "byteOffset", &Json::is_number_unsigned)) {
      return corrupt(index_path, "a record has no name, dtype, shape, nbytes and byteOffset");
    }
    TensorInfo info;
    info.name = record["name"].get<std::string>();
    const auto type = record["dtype"].get<std::string>();
    const auto* known =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& k) { return type == k.name; });
    if (known == std::end(kTypes)) {
      return error(ErrorCode::kUnsupported, "{}: the tensor \"{}\" has the dtype {}, which nothing here reads",
                   index_path, info.name, type);
    }
    info.dtype = known->dtype;
    for (const Json& d : record["shape"]) {
      if (!d.is_number_unsigned() || d.get<uint64_t>() > INT64_MAX) {
        return corrupt(index_path, "the tensor \"{}\" has the shape {}", info.name, record["shape"].dump());
      }
      info.shape.push_back(d.get<int64_t>());
    }
    if (checked_elements(info.shape) < 0) {
      return corrupt(index_path, "the tensor \"{}\" has the impossible shape {}", info.name, record["shape"].dump());
    }
    const std::string format = has(record, "format", &Json::is_string) ? record["format"].get<std::string>() : "raw";
    if (format != "raw" && format != "f32-to-bf16") {
      return error(ErrorCode::kUnsupported, "{}: the tensor \"{}\" has the format \"{}\"; expected raw or f32-to-bf16",
                   index_path, info.name, format);
    }
    Place place;
    place.file = files_.size();
    place.offset = record["byteOffset"].get<uint64_t>();
    place.bytes = record["nbytes"].get<uint64_t>();
    place.bf16_inside = format == "f32-to-bf16" && info.dtype == DType::f32();
    const auto expected = static_cast<uint64_t>(place.bf16_inside ? info.bytes() / 2 : info.bytes());
    if (place.bytes != expected) {
      return corrupt(index_path, "the tensor \"{}\" is {} ({}), which takes {} bytes; the record says {}", info.name,
                     info.str(), format, expected, place.bytes);
    }
    if (place.offset > file.size() || place.bytes > file.size() - place.offset) {
      return corrupt(file.path(), "the tensor \"{}\" would end at byte {}, behind the end at {}", info.name,
                     place.offset + place.bytes, file.size());
    }
    const std::string name = info.name;
    if (!add(std::move(info))) return corrupt(index_path, "the tensor \"{}\" is there twice", name);
    places_.push_back(place);
    return {};
  }

  Result<TensorData> read_at(size_t i) const override {
    const Place& place = places_[i];
    const TensorInfo& info = tensors()[i];
    const auto stored = files_[place.file]->bytes().subspan(place.offset, place.bytes);
    if (!place.bf16_inside) return TensorData{info, stored, files_[place.file]};
    auto decoded = std::make_shared<std::vector<float>>(static_cast<size_t>(info.num_elements()));
    to_f32(DType::bf16(), stored, 0, info.num_elements(), decoded->data());
    return TensorData{info, std::as_bytes(std::span<const float>(*decoded)), decoded};
  }

  void release_at(size_t i) const override {
    files_[places_[i].file]->advise(Advice::kDontNeed, places_[i].offset, places_[i].bytes);
  }

  std::vector<std::shared_ptr<MappedFile>> files_;
  std::vector<Place> places_;
};

}  // namespace

std::string find_mlc_index(const std::string& dir) {
  for (const char* name : {"tensor-cache.json", "ndarray-cache.json"}) {
    if (std::string path = join_path(dir, name); path_exists(path)) return path;
  }
  return {};
}

Result<std::unique_ptr<TensorSource>> open_mlc_shards(const std::string& dir, MlcReadOptions options) {
  const std::string index = find_mlc_index(dir);
  if (index.empty()) {
    return error(ErrorCode::kNotFound, "{}: neither tensor-cache.json nor ndarray-cache.json is there", dir);
  }
  auto source = std::make_unique<MlcShards>(dir);
  MLC_TRY_VOID(source->load(index, options));
  return std::unique_ptr<TensorSource>(std::move(source));
}

MlcWriter::MlcWriter(std::string dir, bool made_dir, TempDir tmp, uint64_t cap)
    : dir_(std::move(dir)), made_dir_(made_dir), tmp_(std::make_unique<TempDir>(std::move(tmp))), cap_(cap) {}

MlcWriter::MlcWriter(MlcWriter&& other) noexcept = default;

Result<MlcWriter> MlcWriter::create(const std::string& dir, uint64_t shard_cap) {
  const bool made = !path_exists(dir);
  MLC_TRY_VOID(make_directories(dir));
  auto tmp = TempDir::create_beside(join_path(dir, "weights"));
  if (!tmp) {
    if (made) (void)remove_all(dir);
    return std::move(tmp).error();
  }
  return MlcWriter(dir, made, *std::move(tmp), shard_cap);
}

MlcWriter::~MlcWriter() {
  if (tmp_ == nullptr || finished_) return;
  tmp_.reset();
  // Only if nobody put something there meanwhile: rmdir, not remove_all.
  std::error_code ignored;
  if (made_dir_) std::filesystem::remove(dir_, ignored);
}

Result<void> MlcWriter::add(const TensorInfo& info, std::span<const std::byte> bytes) {
  MLC_CHECK(static_cast<int64_t>(bytes.size()) == info.bytes(), "{}: {} bytes for {}", info.name, bytes.size(),
            info.str());
  const bool fresh = names_.insert(info.name).second;
  MLC_CHECK(fresh, "the tensor {} written twice", info.name);
  total_bytes_ += bytes.size();
  if (pending_.size() + bytes.size() >= cap_) {
    if (bytes.size() * 2 >= cap_) return write_shard(bytes, {{info, 0}});
    MLC_TRY_VOID(flush());
  }
  pending_records_.push_back({info, pending_.size()});
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  return {};
}

Result<void> MlcWriter::write_shard(std::span<const std::byte> bytes, std::vector<Record> records) {
  Shard shard;
  shard.file = fmt::format("params_shard_{}.bin", shards_.size());
  shard.bytes = bytes.size();
  shard.md5 = md5_hex(bytes);
  shard.records = std::move(records);
  MLC_TRY(FileWriter file, FileWriter::create(tmp_->file(shard.file)));
  MLC_TRY_VOID(file.write(bytes));
  MLC_TRY_VOID(file.close());
  shards_.push_back(std::move(shard));
  return {};
}

Result<void> MlcWriter::flush() {
  if (pending_records_.empty()) return {};
  MLC_TRY_VOID(write_shard(pending_, std::move(pending_records_)));
  pending_.clear();
  pending_records_.clear();
  return {};
}

std::string MlcWriter::index_json(int64_t num_parameters) const {
  OrderedJson records = OrderedJson::array();
  for (const Shard& shard : shards_) {
    OrderedJson inner = OrderedJson::array();
    for (const Record& r : shard.records) {
      const auto* type =
          std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& k) { return r.info.dtype == k.dtype; });
      MLC_CHECK(type != std::end(kTypes), "{} has no MLC dtype", r.info.str());
      // MLC writes "f32-to-bf16" on every record and acts on it for float32 only.
      inner.push_back({{"name", r.info.name},
                       {"shape", r.info.shape},
                       {"dtype", type->name},
                       {"format", r.info.dtype == DType::f32() ? "raw" : "f32-to-bf16"},
                       {"nbytes", r.info.bytes()},
                       {"byteOffset", r.offset}});
    }
    records.push_back({{"dataPath", shard.file},
                       {"format", "raw-shard"},
                       {"nbytes", shard.bytes},
                       {"records", std::move(inner)},
                       {"md5sum", shard.md5}});
  }
  OrderedJson index;
  const auto total = static_cast<double>(total_bytes_);
  index["metadata"] = {{"ParamSize", names_.size()},
                       {"ParamBytes", total},
                       {"BitsPerParam", num_parameters > 0 ? total * 8 / static_cast<double>(num_parameters) : 0.0}};
  index["records"] = std::move(records);
  return index.dump(4);
}

Result<void> MlcWriter::finish(int64_t num_parameters) {
  MLC_TRY_VOID(flush());
  const std::string index_name = "tensor-cache.json";
  MLC_TRY_VOID(write_file_atomic(tmp_->file(index_name), index_json(num_parameters)));
  // From here on an interruption leaves a directory without an index, which no reader takes for a model.
  for (const char* old :
       {"tensor-cache.json", "ndarray-cache.json", "tensor-cache-b16.json", "ndarray-cache-b16.json"}) {
    MLC_TRY_VOID(remove_all(join_path(dir_, old)));
  }
  for (const Shard& shard : shards_) MLC_TRY_VOID(rename_path(tmp_->file(shard.file), join_path(dir_, shard.file)));
  for (size_t i = shards_.size(); path_exists(join_path(dir_, fmt::format("params_shard_{}.bin", i))); ++i) {
    MLC_TRY_VOID(remove_all(join_path(dir_, fmt::format("params_shard_{}.bin", i))));
  }
  MLC_TRY_VOID(rename_path(tmp_->file(index_name), join_path(dir_, index_name)));
  MLC_TRY_VOID(sync_directory(dir_));
  finished_ = true;
  return {};
}

}  // namespace mlc::weights
