//! Compiles WGSL on the first Vulkan device, and reads the driver's statistics and disassembly.

use std::error::Error;
use std::ffi::CStr;

use ash::{khr, vk};
use naga::back::spv;

use crate::Made;

pub struct Compiler {
    name: String,
    _entry: ash::Entry,
    device: ash::Device,
    executable: khr::pipeline_executable_properties::Device,
}

impl Compiler {
    pub fn new() -> Result<Self, Box<dyn Error>> {
        // SAFETY: every handle is valid, used as Vulkan requires, and lives as long as the process.
        unsafe {
            let entry = ash::Entry::load()?;
            let app = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let instance = entry.create_instance(&vk::InstanceCreateInfo::default().application_info(&app), None)?;
            let physical = *instance.enumerate_physical_devices()?.first().ok_or("no Vulkan device")?;
            let name = CStr::from_ptr(instance.get_physical_device_properties(physical).device_name.as_ptr());
            let name = name.to_string_lossy().into_owned();
            let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
            let known = instance.enumerate_device_extension_properties(physical)?;
            let extensions: Vec<_> = [khr::pipeline_executable_properties::NAME, khr::cooperative_matrix::NAME]
                .into_iter()
                .filter(|name| known.iter().any(|e| e.extension_name_as_c_str() == Ok(name)))
                .map(CStr::as_ptr)
                .collect();
            let known = |name: &CStr| extensions.contains(&name.as_ptr());
            if !known(khr::pipeline_executable_properties::NAME) {
                return Err(format!("{name} does not tell what it makes of kernels").into());
            }
            let mut units = vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(true);
            let mut info =
                vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
            let mut memory = vk::PhysicalDeviceVulkanMemoryModelFeatures::default().vulkan_memory_model(true);
            let mut half = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_float16(true);
            let mut storage = vk::PhysicalDevice16BitStorageFeatures::default().storage_buffer16_bit_access(true);
            let mut create = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_extension_names(&extensions)
                .push_next(&mut info)
                .push_next(&mut memory)
                .push_next(&mut half)
                .push_next(&mut storage);
            if known(khr::cooperative_matrix::NAME) {
                create = create.push_next(&mut units);
            }
            let device = instance.create_device(physical, &create, None)?;
            let executable = khr::pipeline_executable_properties::Device::new(&instance, &device);
            Ok(Compiler { name, _entry: entry, device, executable })
        }
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }

    pub fn compile(&self, source: &str) -> Result<Made, Box<dyn Error>> {
        let (module, info) = crate::module(source)?;
        // wgpu's options for trusted shaders.
        let options = spv::Options {
            lang_version: (1, 3),
            flags: spv::WriterFlags::empty(),
            force_loop_bounding: false,
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            ..Default::default()
        };
        let words = spv::write_vec(&module, &info, &options, None)?;
        let bindings: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, v)| v.binding)
            .map(|b| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(b.binding)
                    .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        // SAFETY: as above.
        unsafe {
            let layout = self.device.create_descriptor_set_layout(
                &vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings),
                None,
            )?;
            let layouts = [layout];
            let layout = self
                .device
                .create_pipeline_layout(&vk::PipelineLayoutCreateInfo::default().set_layouts(&layouts), None)?;
            let module = self.device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(&words), None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let create = vk::ComputePipelineCreateInfo::default().layout(layout).stage(stage).flags(
                vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                    | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR,
            );
            let pipelines = self.device.create_compute_pipelines(vk::PipelineCache::null(), &[create], None);
            let pipeline = pipelines.map_err(|(_, e)| e)?[0];
            let which = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
            let statistics = self.executable.get_pipeline_executable_statistics(&which)?;
            let statistic = |name: &str| {
                let found = statistics.iter().find(|s| s.name_as_c_str().is_ok_and(|n| n.to_string_lossy() == name));
                found.map_or(0, |s| s.value.u64)
            };
            let code = self.code(&which)?;
            self.device.destroy_pipeline(pipeline, None);
            Ok(Made {
                registers: statistic("VGPRs"),
                spilled: statistic("Spilled VGPRs"),
                subgroups: statistic("Subgroups per SIMD"),
                shared: statistic("LDS size"),
                code,
            })
        }
    }

    /// The driver's last internal representation: the disassembly.
    unsafe fn code(&self, which: &vk::PipelineExecutableInfoKHR<'_>) -> Result<String, Box<dyn Error>> {
        // SAFETY: the second call gets buffers of the sizes that the first one returned.
        unsafe {
            let get = self.executable.fp().get_pipeline_executable_internal_representations_khr;
            let mut count = 0;
            get(self.device.handle(), which, &raw mut count, std::ptr::null_mut()).result()?;
            let mut found = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
            get(self.device.handle(), which, &raw mut count, found.as_mut_ptr()).result()?;
            let mut texts: Vec<Vec<u8>> = found.iter().map(|r| vec![0; r.data_size]).collect();
            for (r, text) in found.iter_mut().zip(&mut texts) {
                r.p_data = text.as_mut_ptr().cast();
            }
            get(self.device.handle(), which, &raw mut count, found.as_mut_ptr()).result()?;
            let text = texts.pop().unwrap_or_default();
            Ok(String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(&text)).into_owned())
        }
    }
}
